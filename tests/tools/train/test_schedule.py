"""The schedule: progress in, learning rate and resolution out."""

import pytest

from ruid_tools.train.schedule import Schedule, growing_stages, one_stage, progress_of

SCHEDULE = Schedule(stages=growing_stages(height_px=160, width_px=64), peak_rate=1.0, final_rate=0.0, warm_up=0.1)


def test_learning_rate_rises_then_falls_to_the_end() -> None:
    rates = [SCHEDULE.learning_rate(progress) for progress in (0.05, 0.1, 0.5, 1.0)]
    assert rates[0] == pytest.approx(0.5)
    assert rates[1] == pytest.approx(1.0)
    assert rates[1] > rates[2] > rates[3]
    assert rates[3] == pytest.approx(0.0)


def test_resolutions_grow_to_the_deployed_one_in_multiples_of_sixteen() -> None:
    sizes = [(SCHEDULE.stage(at).height_px, SCHEDULE.stage(at).width_px) for at in (0.0, 0.24, 0.25, 0.54, 0.55, 1.0)]
    assert sizes == [(96, 32), (96, 32), (128, 48), (128, 48), (160, 64), (160, 64)]


def test_one_stage_is_the_deployed_resolution_throughout() -> None:
    assert [(stage.height_px, stage.width_px) for stage in one_stage(height_px=160, width_px=64)] == [(160, 64)]


@pytest.mark.parametrize(
    ("step", "spent_s", "limit_s", "expected"),
    [(25, 90.0, None, 0.25), (25, 90.0, 100.0, 0.9), (80, 10.0, 100.0, 0.8), (200, 10.0, None, 1.0)],
)
def test_progress_is_by_steps_or_by_time_whichever_is_further(
    step: int, spent_s: float, limit_s: float | None, expected: float
) -> None:
    assert progress_of(step=step, steps=100, spent_s=spent_s, limit_s=limit_s) == pytest.approx(expected)


def test_averaged_weights_have_a_short_memory_at_first() -> None:
    assert SCHEDULE.decay_at(0) == pytest.approx(0.1)
    assert SCHEDULE.decay_at(10**6) == SCHEDULE.average_decay
