"""Answers about long periods, remembered for a moment: twenty open pages ask the same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import TypeVar, cast

LONG_S = 2 * 86_400.0
"""Shorter periods are counted anew each time: that takes milliseconds, and people watch them."""
REMEMBERED_S = 20.0
MOST_ANSWERS = 256
_Answer = TypeVar("_Answer")


class Memory:
    """Any thread may ask. One answer is worked out at a time, so that a question that many ask costs once;
    working one out may ask another. What is remembered waits for nobody: who asks while an answer is being worked
    out takes the one before, for as long again."""

    def __init__(self, clock: Callable[[], float], *, most_answers: int = MOST_ANSWERS) -> None:
        self._clock = clock
        self._most_answers = most_answers
        self._answers: OrderedDict[Hashable, tuple[float, int, object]] = OrderedDict()
        self._working = RLock()
        self._age = 0

    def answer(self, question: Hashable, *, length_s: float, work_out: Callable[[], _Answer]) -> _Answer:
        """The answer to a question about a period of this length: remembered, or worked out now."""
        if length_s <= LONG_S:
            return work_out()
        if (known := self._known(question, REMEMBERED_S)) is not None:
            return cast("_Answer", known[2])
        former = self._known(question, 2 * REMEMBERED_S)
        if not self._working.acquire(blocking=former is None) and former is not None:
            return cast("_Answer", former[2])
        try:
            if (known := self._known(question, REMEMBERED_S)) is not None:
                return cast("_Answer", known[2])
            return self._renewed(question, work_out)
        finally:
            self._working.release()

    def forget(self) -> None:
        """Somebody changed what counts: the next answer is a new one. Returns at once."""
        self._age += 1

    def _renewed(self, question: Hashable, work_out: Callable[[], _Answer]) -> _Answer:
        # Read first: what is corrected while the answer is worked out makes it old.
        began_s, age = self._clock(), self._age
        answer = work_out()
        self._answers[question] = (began_s, age, answer)
        self._answers.move_to_end(question)
        while len(self._answers) > self._most_answers:
            self._answers.popitem(last=False)
        return answer

    def _known(self, question: Hashable, within_s: float) -> tuple[float, int, object] | None:
        known = self._answers.get(question)
        fresh = known is not None and known[1] == self._age and 0.0 <= self._clock() - known[0] < within_s
        return known if fresh else None
