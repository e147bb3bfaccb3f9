"""The loop around the trainer: steps until the schedule ends, with a journal, validations and checkpoints."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ruid_tools.train.run_folder import CHECKPOINT, WEIGHTS, append_journal, draw_plots
from ruid_tools.train.trainer import Trainer, save_checkpoint, save_weights

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds of training between lines of the journal, validations and checkpoints."""

    journal_s: float = 20.0
    validation_s: float = 300.0
    checkpoint_s: float = 180.0


class Due:
    """Says, once per period of training time, that something is due."""

    def __init__(self, every_s: float, *, since_s: float) -> None:
        self._every_s = every_s
        self._next_s = since_s + every_s

    def at(self, spent_s: float) -> bool:
        """Return whether a period has passed, and begin the next one if so."""
        if spent_s < self._next_s:
            return False
        self._next_s = spent_s + self._every_s
        return True


class Averages:
    """Means of named values since the last `take`, and the rate of steps."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._steps = 0

    def add(self, values: dict[str, float]) -> None:
        """Count one step's values."""
        self._steps += 1
        for name, value in values.items():
            self._sums[name] += value

    def take(self) -> tuple[dict[str, float], int]:
        """Return the means and the number of steps, and begin anew."""
        means = {name: total / self._steps for name, total in self._sums.items()}
        steps = self._steps
        self._sums.clear()
        self._steps = 0
        return means, steps


def train_to_the_end(trainer: Trainer, *, out: Path, rhythm: Rhythm, report: Report) -> None:
    """Take steps until the schedule ends; leave averaged weights, a checkpoint and curves in `out`."""
    start_s = trainer.spent_s
    journal_due = Due(rhythm.journal_s, since_s=start_s)
    validation_due = Due(rhythm.validation_s, since_s=start_s)
    checkpoint_due = Due(rhythm.checkpoint_s, since_s=start_s)
    averages = Averages()
    last_s = start_s
    while trainer.progress < 1:
        averages.add(trainer.take_step())
        if journal_due.at(trainer.spent_s):
            means, steps = averages.take()
            _write(out, report, {**_position(trainer), **means, "steps_per_s": steps / (trainer.spent_s - last_s)})
            last_s = trainer.spent_s
        if validation_due.at(trainer.spent_s):
            _write(out, report, {**_position(trainer), **trainer.validate()})
        if checkpoint_due.at(trainer.spent_s):
            _save(trainer, out)
    _write(out, report, {**_position(trainer), **trainer.validate()})
    _save(trainer, out)
    draw_plots(out)


def _position(trainer: Trainer) -> dict[str, float]:
    return {
        "step": trainer.step,
        "progress": trainer.progress,
        "spent_s": trainer.spent_s,
        "left_s": trainer.spent_s * (1 / max(trainer.progress, 1e-6) - 1),
    }


def _save(trainer: Trainer, out: Path) -> None:
    save_checkpoint(trainer, out / CHECKPOINT)
    save_weights(trainer.average, out / WEIGHTS)


def _write(out: Path, report: Report, entry: dict[str, float]) -> None:
    append_journal(out, entry)
    report(entry)
