"""The number of people is estimated from what links must have been missed."""

import numpy as np
import pytest

from ruid_core.identity.arrays import unit_rows
from ruid_core.identity.estimate import LINK_SPREAD, Links, measure_links, share_found
from ruid_core.identity.steps import finish

MANY = 1e6


@pytest.mark.parametrize("cut", [-2.0, -1.0, -0.5])
def test_the_share_of_a_bell_above_a_cut_is_found_from_its_upper_part(cut: float) -> None:
    bell = np.random.default_rng(2).normal(size=200_000)
    above = bell[bell > cut]
    share, doubt = share_found((above - cut) * LINK_SPREAD, MANY)
    assert share == pytest.approx(len(above) / len(bell), abs=max(0.03, doubt))


def test_the_less_of_a_bell_is_seen_the_less_it_tells() -> None:
    bell = np.random.default_rng(2).normal(size=2000)
    doubts = [share_found((bell[bell > cut] - cut) * LINK_SPREAD, MANY)[1] for cut in (-3.0, -1.5, 0.0)]
    assert doubts == sorted(doubts)


def test_links_that_all_lie_far_above_the_cut_for_their_spread_were_all_found() -> None:
    excesses = np.random.default_rng(5).normal(0.15, 0.03, 100)
    assert share_found(excesses, MANY)[0] > 0.97


def test_where_nobody_is_nearly_alike_enough_no_link_was_missed() -> None:
    excesses = np.array([0.02, 0.05, 0.07, 0.1, 0.14, 0.18])
    assert share_found(excesses, 0.0)[0] > share_found(excesses, MANY)[0] + 0.2
    assert share_found(excesses, 0.0)[0] > 0.9


def test_with_every_link_found_identities_are_people() -> None:
    estimate = Links(identities=100, appearances=250, share=1.0, doubt=0.0).estimate(100)
    assert estimate.value == pytest.approx(100, rel=0.03)
    assert estimate.low < 100 < estimate.high


def test_missed_links_mean_fewer_people_than_identities() -> None:
    people, cameras, share = 1000, 2, 0.5
    identities = people + int(people * (cameras - 1) * (1 - share))
    estimate = Links(identities, people * cameras, share, 0.0).estimate(identities)
    assert estimate.value == pytest.approx(people, rel=0.05)


def test_the_interval_is_wider_where_the_share_is_doubtful_and_where_there_are_few() -> None:
    def width(identities: int, doubt: float) -> float:
        estimate = Links(identities, 2 * identities, 0.7, doubt).estimate(identities)
        return estimate.high / estimate.low

    assert width(100, 0.0) < width(100, 0.2)
    assert width(100, 0.0) < width(5, 0.0)


def test_the_estimate_grows_with_the_identities_between_consolidations() -> None:
    links = Links(identities=100, appearances=100, share=1.0, doubt=0.0)
    assert links.estimate(200).value == pytest.approx(2 * links.estimate(100).value)


def test_one_camera_has_no_links_to_miss() -> None:
    vectors = np.eye(4, dtype=np.float32)
    links = finish(measure_links(vectors, np.arange(4), np.zeros(4, np.int64), 0.3))
    assert links == Links(identities=4, appearances=4, share=1.0, doubt=0.0)


@pytest.mark.parametrize("people", [20, 600])
def test_people_whom_two_cameras_see_alike_were_all_found(people: int) -> None:
    links = finish(measure_links(*_seen_by_two_cameras(people, linked=people), 0.6))
    assert (links.identities, links.appearances) == (people, 2 * people)
    assert links.share > 0.95


def test_a_link_that_was_missed_shows_by_two_who_are_nearly_alike_enough() -> None:
    found = finish(measure_links(*_seen_by_two_cameras(20, linked=20), 0.85))
    missed = finish(measure_links(*_seen_by_two_cameras(20, linked=10), 0.85))
    assert missed.share < found.share - 0.05


def _seen_by_two_cameras(people: int, *, linked: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, identities and cameras of people seen once by each of two cameras, of whom some are linked."""
    rng = np.random.default_rng(3)
    looks = np.repeat(unit_rows(rng.normal(size=(people, 256)).astype(np.float32)), 2, axis=0)
    vectors = unit_rows(looks + rng.normal(0.0, 0.025, looks.shape).astype(np.float32))
    who = np.repeat(np.arange(people), 2)
    alone = (who >= linked) & (np.arange(2 * people) % 2 == 1)
    return vectors, np.where(alone, who + people, who), np.arange(2 * people) % 2
