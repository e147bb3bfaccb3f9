"""A camera is kept alive, whatever it does."""

import dataclasses
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, SourceLost
from ruid_edge.capture.loop import CaptureEvents
from ruid_edge.errors import EdgeError, SourceMissing

PICTURE = np.zeros((48, 64, 3), np.uint8)


class ScriptedSource:
    """Does what its script says: a number is a frame, an exception is raised, None ends it."""

    lossless = True
    size_px = (64, 48)

    def __init__(self, *script: "float | Frame | Exception | None") -> None:
        self._script: Iterator[float | Frame | Exception | None] = iter(script)
        self.opened = 0
        self.closed = threading.Event()

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Frame | None:
        step = next(self._script)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Frame):
            return step
        return None if step is None else Frame(PICTURE, step, step, self.opened)

    def close(self) -> None:
        self.closed.set()


class Log:
    """Notes what the loop tells."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.ended = threading.Event()

    @property
    def events(self) -> CaptureEvents:
        return CaptureEvents(
            opened=lambda width, height: self.said.append(("opened", width, height)),
            lost=lambda reason, at_s: self.said.append(("lost", reason)),
            back=lambda from_s, to_s, reason: self.said.append(("back", to_s, reason)),
            captured=lambda frame, replaced: self.said.append(frame.captured_at_s),
            refused=lambda reason: self.said.append(("refused", reason)),
            jumped=lambda step_s: self.said.append(("jumped", round(step_s))),
            ended=self.ended.set,
            failed=self.said.append,
        )


def run(source: ScriptedSource, *, frame_rate_fps: float | None = None) -> Log:
    log, exchange = Log(), FrameExchange(("a",))
    loop = CaptureLoop("a", source, exchange, log.events, frame_rate_fps=lambda: frame_rate_fps)
    loop.start()
    deadline_s = time.monotonic() + 10
    while not log.ended.is_set() and time.monotonic() < deadline_s:
        exchange.take(timeout_s=0.05)
    assert loop.join(timeout_s=1)
    return log


def test_a_recording_plays_to_its_end() -> None:
    source = ScriptedSource(1.0, 2.0, None)
    assert run(source).said == [("opened", 64, 48), 1.0, 2.0]
    assert source.closed.is_set()


def test_a_lost_camera_is_opened_again_and_the_gap_is_told() -> None:
    source = ScriptedSource(1.0, SourceLost("unplugged"), SourceLost("still away"), 5.0, None)
    log = run(source)
    assert source.opened == 3
    assert log.said == [
        ("opened", 64, 48),
        1.0,
        ("lost", "unplugged"),
        ("opened", 64, 48),
        ("opened", 64, 48),
        ("back", 5.0, "unplugged"),
        5.0,
    ]


def test_a_source_that_cannot_exist_is_given_up() -> None:
    log = run(ScriptedSource(SourceMissing("no such file")))
    assert [str(said) for said in log.said if isinstance(said, EdgeError)] == ["no such file"]


def test_a_stopped_loop_ends_after_the_frame_in_hand() -> None:
    source = ScriptedSource(*(float(number) for number in range(1000)))
    log, exchange = Log(), FrameExchange(("a",))
    loop = CaptureLoop("a", source, exchange, log.events)
    loop.start()
    exchange.take(timeout_s=5)
    loop.stop()
    exchange.close()
    assert loop.join(timeout_s=5)
    assert log.ended.is_set()


def test_garbage_is_passed_over_and_named() -> None:
    garbage = Frame(PICTURE[:, :, 0], 2.0, 2.0, 1)
    assert run(ScriptedSource(1.0, garbage, 3.0, None)).said == [
        ("opened", 64, 48),
        1.0,
        ("refused", "not_a_picture"),
        3.0,
    ]


def test_pictures_of_another_size_are_told() -> None:
    larger = Frame(np.zeros((96, 128, 3), np.uint8), 2.0, 2.0, 1)
    assert run(ScriptedSource(1.0, larger, None)).said == [("opened", 64, 48), 1.0, ("opened", 128, 96), 2.0]


def test_a_wanted_rate_thins_the_frames() -> None:
    log = run(ScriptedSource(*(number / 10 for number in range(20)), None), frame_rate_fps=5)
    assert log.said[1:] == [number / 10 for number in range(0, 20, 2)]


def test_a_clock_that_is_set_begins_another_scene() -> None:
    now_s = time.time()
    source = ScriptedSource(now_s, now_s + 500, now_s + 500.1, None)
    source.lossless = False
    scenes: list[int] = []
    log, exchange = Log(), FrameExchange(("a",))

    def captured(frame: Frame, replaced: bool) -> None:
        scenes.append(frame.scene)

    events = dataclasses.replace(log.events, captured=captured)
    loop = CaptureLoop("a", source, exchange, events)
    loop.start()
    assert loop.join(timeout_s=5)
    assert ("jumped", 500) in log.said
    assert scenes == [1, 2, 2]


class SilentSource(ScriptedSource):
    """Gives one frame, then nothing until `released`."""

    def __init__(self) -> None:
        super().__init__(1.0, 9.0, None)
        self.released = threading.Event()
        self.silent = threading.Event()
        self._given = 0

    def read(self) -> Frame | None:
        if self._given == 1:
            self.silent.set()
            self.released.wait(10)
        self._given += 1
        return super().read()


def test_a_source_that_hangs_can_be_told_from_one_that_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ruid_edge.capture.loop.STALLED_AFTER_S", 0.05)
    source, log, exchange = SilentSource(), Log(), FrameExchange(("a",))
    loop = CaptureLoop("a", source, exchange, log.events)
    assert loop.stuck_for_s() == 0
    loop.start()
    assert exchange.take(timeout_s=5) is not None
    assert source.silent.wait(5)
    deadline_s = time.monotonic() + 5
    while loop.stuck_for_s() < 0.06 and time.monotonic() < deadline_s:
        log.ended.wait(0.01)
    assert loop.stuck_for_s() >= 0.06
    source.released.set()
    assert exchange.take(timeout_s=5) is not None
    assert loop.join(timeout_s=5)
    assert loop.stuck_for_s() == 0
    assert ("back", 9.0, "stalled") in log.said
