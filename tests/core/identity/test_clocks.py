"""Which camera's clock is out of step with the others."""

import pytest

from ruid_core.identity import CameraClocks, TimeWentBackwards

HOUR_S = 3600.0


def _clocks(**latest_s: float) -> CameraClocks:
    clocks = CameraClocks(60.0)
    for camera, at_s in latest_s.items():
        assert clocks.advance(camera, at_s) == ()
    return clocks


def _believed_back(clocks: CameraClocks, camera: str, at_s: float) -> tuple[tuple[str, float], ...]:
    for _ in range(5):
        with pytest.raises(TimeWentBackwards):
            clocks.check(camera, at_s)
    clocks.check(camera, at_s)
    return clocks.advance(camera, at_s)


def test_another_camera_shows_that_a_step_forward_was_a_jump() -> None:
    clocks = _clocks(a=100.0, b=100.0)
    assert clocks.advance("a", 110.0 + HOUR_S) == ()
    assert clocks.advance("a", 170.0 + HOUR_S) == ()
    assert clocks.advance("b", 180.0) == (("a", 110.0 + HOUR_S),)
    assert clocks.out_of_step == {"a"}
    assert clocks.advance("a", 200.0 + HOUR_S) == ()
    assert clocks.out_of_step == {"a"}


def test_a_quiet_hour_is_no_jump() -> None:
    clocks = _clocks(a=100.0, b=100.0)
    assert clocks.advance("a", 100.0 + HOUR_S) == ()
    assert clocks.advance("b", 120.0 + HOUR_S) == ()
    assert clocks.advance("b", 500.0 + HOUR_S) == ()
    assert clocks.advance("a", 520.0 + HOUR_S) == ()
    assert not clocks.out_of_step


def test_a_camera_that_replays_an_old_hour_says_nothing_about_the_others() -> None:
    clocks = _clocks(a=100.0, b=100.0, c=90.0)
    for minute in range(1, 60):
        assert clocks.advance("a", 100.0 + 59.0 * minute) == ()
    assert clocks.advance("a", 3900.0) == ()
    for minute in range(60):
        assert clocks.advance("b", 100.0 + 50.0 * minute) == ()
    assert not clocks.out_of_step


def test_a_camera_that_comes_back_is_in_step_again_and_its_jump_is_known() -> None:
    clocks = _clocks(a=100.0, b=100.0)
    clocks.advance("a", 110.0 + HOUR_S)
    assert _believed_back(clocks, "a", 130.0) == (("a", 110.0 + HOUR_S),)
    assert not clocks.out_of_step
    assert clocks.latest_s["a"] == 130.0


def test_a_camera_that_goes_back_by_itself_is_out_of_step_until_it_agrees_with_another() -> None:
    clocks = _clocks(a=10_000.0, b=10_000.0)
    assert _believed_back(clocks, "a", 10_000.0 - HOUR_S) == ()
    assert clocks.out_of_step == {"a"}
    assert clocks.advance("a", 10_010.0 - HOUR_S) == ()
    assert clocks.out_of_step == {"a"}
    clocks.advance("a", 10_020.0)
    assert not clocks.out_of_step
