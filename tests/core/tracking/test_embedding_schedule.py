"""Who is embedded when."""

from hypothesis import given
from hypothesis import strategies as st

from ruid_core.tracking.embedding_schedule import Candidate, EmbeddingSchedule, EmbeddingScheduleSettings

SETTINGS = EmbeddingScheduleSettings(
    per_frame=2, refresh_s=1.0, better_by=0.2, at_least_s=0.2, worst_quality=0.3, patience_s=0.5
)


def schedule() -> EmbeddingSchedule:
    return EmbeddingSchedule(settings=SETTINGS)


def person(track_id: int, quality: float = 0.5, started_at_s: float = 0.0) -> Candidate:
    return Candidate(track_id, quality, started_at_s)


def test_a_new_track_is_embedded_at_once_and_then_at_the_refresh_rate() -> None:
    plan = schedule()
    assert plan.choose([person(1)], at_s=0.0) == (0,)
    assert plan.choose([person(1)], at_s=0.8) == ()
    assert plan.choose([person(1)], at_s=1.0) == (0,)


def test_a_poor_first_crop_waits_a_little() -> None:
    plan = schedule()
    assert plan.choose([person(1, quality=0.1)], at_s=0.4) == ()
    assert plan.choose([person(1, quality=0.1)], at_s=0.5) == (0,)


def test_a_clearly_better_crop_does_not_wait_for_its_turn() -> None:
    plan = schedule()
    plan.choose([person(1, quality=0.5)], at_s=0.0)
    assert plan.choose([person(1, quality=0.9)], at_s=0.1) == ()
    assert plan.choose([person(1, quality=0.6)], at_s=0.3) == ()
    assert plan.choose([person(1, quality=0.9)], at_s=0.3) == (0,)


def test_the_most_urgent_come_first_and_the_rest_the_next_time() -> None:
    plan = schedule()
    plan.choose([person(1), person(2)], at_s=0.0)
    crowd = [person(1), person(2), person(3), person(4)]
    assert plan.choose(crowd, at_s=2.0) == (2, 3)
    assert plan.choose(crowd, at_s=2.1) == (0, 1)


def test_a_forgotten_track_is_new_again() -> None:
    plan = schedule()
    plan.choose([person(1)], at_s=0.0)
    plan.forget([1, 99])
    assert plan.choose([person(1)], at_s=0.1) == (0,)


def test_the_defaults_can_be_used() -> None:
    assert EmbeddingSchedule().choose([person(1)], at_s=0.0) == (0,)


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=8), max_size=60))
def test_nobody_waits_for_ever_and_no_frame_costs_too_much(frames: list[list[int]]) -> None:
    """With steps of a tenth of a second, whoever stays in view is embedded within refresh and queueing time."""
    plan = schedule()
    waiting: dict[int, int] = {}
    for number, track_ids in enumerate(frames):
        crowd = [person(track_id) for track_id in track_ids]
        chosen = {track_ids[index] for index in plan.choose(crowd, at_s=number / 10)}
        assert len(chosen) <= SETTINGS.per_frame
        waiting = {track_id: 0 if track_id in chosen else waiting.get(track_id, 0) + 1 for track_id in track_ids}
        assert all(steps <= 10 + 8 for steps in waiting.values())


def test_under_strain_refreshes_wait_longer_and_fewer_go_at_once() -> None:
    node = EmbeddingSchedule(settings=EmbeddingScheduleSettings(per_frame=4))
    people = [Candidate(number, 0.8, 0.0) for number in range(4)]
    assert len(node.choose(people, at_s=0.0, slower=2.0)) == 2
    assert len(node.choose(people, at_s=0.1, slower=2.0)) == 2
    assert node.choose(people, at_s=0.6, slower=2.0) == ()
    assert len(node.choose(people, at_s=0.95, slower=2.0)) == 2
