"""Answers about long periods are worked out once for all who ask."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from hub_fakes import FakeClock
from ruid_hub.counting.memory import LONG_S, MOST_ANSWERS, REMEMBERED_S, Memory


class Asked:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def test_a_long_period_is_answered_once_for_a_while():
    clock, asked = FakeClock(), Asked()
    memory = Memory(clock)
    answers = [memory.answer("month", length_s=LONG_S + 1, work_out=asked) for _ in range(3)]
    clock.now_s += REMEMBERED_S
    answers.append(memory.answer("month", length_s=LONG_S + 1, work_out=asked))
    assert answers == [1, 1, 1, 2]


def test_who_asks_while_an_answer_is_worked_out_anew_takes_the_one_before():
    clock, asked, begun, may_end = FakeClock(), Asked(), Event(), Event()
    memory = Memory(clock)

    def slowly() -> int:
        begun.set()
        may_end.wait(10)
        return asked()

    memory.answer("month", length_s=LONG_S + 1, work_out=asked)
    clock.now_s += REMEMBERED_S
    with ThreadPoolExecutor(1) as other:
        renewed = other.submit(memory.answer, "month", length_s=LONG_S + 1, work_out=slowly)
        assert begun.wait(10)
        meanwhile = memory.answer("month", length_s=LONG_S + 1, work_out=asked)
        may_end.set()
    assert (meanwhile, renewed.result()) == (1, 2)
    assert memory.answer("month", length_s=LONG_S + 1, work_out=asked) == 2


def test_a_short_period_is_counted_each_time():
    memory, asked = Memory(FakeClock()), Asked()
    assert [memory.answer("day", length_s=LONG_S, work_out=asked) for _ in range(2)] == [1, 2]


def test_a_correction_makes_every_answer_old_even_one_that_is_being_worked_out():
    memory, asked = Memory(FakeClock()), Asked()

    def corrected_meanwhile() -> int:
        memory.forget()
        return asked()

    memory.answer("month", length_s=LONG_S + 1, work_out=corrected_meanwhile)
    assert memory.answer("month", length_s=LONG_S + 1, work_out=asked) == 2
    memory.forget()
    assert memory.answer("month", length_s=LONG_S + 1, work_out=asked) == 3


def test_an_answer_may_need_another_one():
    memory = Memory(FakeClock())

    def inner() -> int:
        return memory.answer("inner", length_s=LONG_S + 1, work_out=lambda: 7)

    assert memory.answer("outer", length_s=LONG_S + 1, work_out=inner) == 7


def test_old_questions_are_forgotten():
    memory, asked = Memory(FakeClock()), Asked()
    for question in range(MOST_ANSWERS + 1):
        memory.answer(question, length_s=LONG_S + 1, work_out=asked)
    assert memory.answer(0, length_s=LONG_S + 1, work_out=asked) == MOST_ANSWERS + 2
