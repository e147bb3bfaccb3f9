"""A camera is kept alive, whatever it does."""

import threading
import time
from collections.abc import Iterator

import numpy as np

from ruid_edge.capture import CaptureLoop, Frame, FrameExchange, SourceLost
from ruid_edge.capture.loop import CaptureEvents
from ruid_edge.errors import EdgeError, SourceMissing

PICTURE = np.zeros((48, 64, 3), np.uint8)


class ScriptedSource:
    """Does what its script says: a number is a frame, an exception is raised, None ends it."""

    lossless = True
    size_px = (64, 48)

    def __init__(self, *script: "float | Exception | None") -> None:
        self._script: Iterator[float | Exception | None] = iter(script)
        self.opened = 0
        self.closed = threading.Event()

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Frame | None:
        step = next(self._script)
        if isinstance(step, Exception):
            raise step
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


def run(source: ScriptedSource) -> Log:
    log, exchange = Log(), FrameExchange(("a",))
    loop = CaptureLoop("a", source, exchange, log.events)
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
