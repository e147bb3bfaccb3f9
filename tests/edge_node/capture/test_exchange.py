"""The hand-over between capture and inference."""

import threading

import numpy as np

from ruid_edge.capture import Frame, FrameExchange

PICTURE = np.zeros((2, 2, 3), np.uint8)


def frame(number: int) -> Frame:
    return Frame(PICTURE, float(number), float(number), 1)


def test_the_newest_frame_wins_and_the_loss_is_told() -> None:
    exchange = FrameExchange(("a",))
    assert not exchange.offer("a", frame(1))
    assert exchange.offer("a", frame(2))
    assert exchange.waiting == 1
    taken = exchange.take(timeout_s=0)
    assert taken is not None
    assert taken[1].captured_at_s == 2


def test_cameras_are_served_in_turn() -> None:
    exchange = FrameExchange(("a", "b"))
    served: list[str] = []
    for number in range(4):
        exchange.offer("a", frame(number))
        exchange.offer("b", frame(number))
        taken = exchange.take(timeout_s=0)
        assert taken is not None
        served.append(taken[0])
    assert served == ["a", "b", "a", "b"]


def test_nothing_comes_when_nothing_waits() -> None:
    assert FrameExchange(("a",)).take(timeout_s=0.01) is None


def test_a_recording_waits_for_its_place_and_loses_nothing() -> None:
    exchange = FrameExchange(("a",))
    deliver = threading.Thread(target=lambda: [exchange.deliver("a", frame(number)) for number in range(50)])
    deliver.start()
    taken = [exchange.take(timeout_s=5) for _ in range(50)]
    deliver.join(5)
    assert [each[1].captured_at_s for each in taken if each is not None] == list(range(50))


def test_closing_lets_go_of_whoever_waits() -> None:
    exchange = FrameExchange(("a",))
    exchange.deliver("a", frame(1))
    waiting = threading.Thread(target=exchange.deliver, args=("a", frame(2)))
    waiting.start()
    exchange.close()
    waiting.join(5)
    assert not waiting.is_alive()
