"""Nodes come back soon after a hub's restart, and not all at one moment."""

import numpy as np

from ruid_edge.uplink.backoff import LONGEST_REFUSED_S, LONGEST_S, LONGEST_UNANSWERED_S, SHORTEST_S, Backoff

NODES = 200


def backoff(seed: int = 0) -> Backoff:
    return Backoff(np.random.default_rng(seed))


def arrivals_s(*, hub_back_s: float) -> list[float]:
    """When each of many nodes that lost the hub at 0 finds it again, which does not answer before `hub_back_s`."""
    arrivals: list[float] = []
    for node in range(NODES):
        waiting, at_s = backoff(node), 0.0
        while (at_s := at_s + waiting.next_s(answered=False)) < hub_back_s:
            pass
        arrivals.append(at_s)
    return arrivals


def test_waits_stay_between_the_shortest_and_the_longest() -> None:
    waiting = backoff()
    unanswered = [waiting.next_s(answered=False) for _ in range(500)]
    answered = [waiting.next_s(answered=True) for _ in range(500)]
    assert min(unanswered) >= SHORTEST_S
    assert max(unanswered) == LONGEST_UNANSWERED_S
    assert min(answered) >= SHORTEST_S
    assert max(answered) == LONGEST_S


def test_the_first_wait_is_short_and_so_it_is_after_a_connection() -> None:
    waiting = backoff()
    assert waiting.next_s(answered=True) <= 3 * SHORTEST_S
    for _ in range(20):
        waiting.next_s(answered=True)
    waiting.reset()
    assert waiting.next_s(answered=True) <= 3 * SHORTEST_S


def test_a_hub_that_says_no_is_asked_less_and_less_often_until_it_says_yes() -> None:
    waiting = backoff()
    assert [waiting.refused_s() for _ in range(6)] == [30.0, 60.0, 120.0, 240.0, LONGEST_REFUSED_S, LONGEST_REFUSED_S]
    waiting.reset()
    assert waiting.refused_s() == 30.0


def test_a_hub_that_restarts_is_found_within_the_longest_unanswered_wait() -> None:
    for hub_back_s in (1.0, 5.0, 60.0):
        late_s = [at_s - hub_back_s for at_s in arrivals_s(hub_back_s=hub_back_s)]
        assert max(late_s) <= LONGEST_UNANSWERED_S


def test_many_nodes_do_not_come_back_in_step() -> None:
    for hub_back_s in (5.0, 60.0):
        tenths, counts = np.unique(np.floor(10 * np.array(arrivals_s(hub_back_s=hub_back_s))), return_counts=True)
        assert len(tenths) >= 15
        assert counts.max() <= NODES // 4
