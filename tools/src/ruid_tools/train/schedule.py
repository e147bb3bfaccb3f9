"""The training schedule as values: progress in, learning rate and resolution out.

Progress runs from 0 to 1: by steps, or by the time spent where a time limit is set and would be reached first.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """A resolution, used from a point of progress on. Sides are multiples of 16."""

    from_progress: float
    height_px: int
    width_px: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Warm-up and cosine learning rate; resolutions that grow; the averaging of weights."""

    stages: tuple[Stage, ...]
    peak_rate: float = 2e-3
    final_rate: float = 2e-6
    warm_up: float = 0.03
    average_decay: float = 0.998

    def learning_rate(self, progress: float) -> float:
        """Return the learning rate at a point of progress."""
        if progress < self.warm_up:
            return self.peak_rate * max(progress / self.warm_up, 0.01)
        angle = math.pi * min((progress - self.warm_up) / (1 - self.warm_up), 1.0)
        return self.final_rate + (self.peak_rate - self.final_rate) * (1 + math.cos(angle)) / 2

    def stage(self, progress: float) -> Stage:
        """Return the stage in force at a point of progress."""
        return [stage for stage in self.stages if stage.from_progress <= progress][-1]

    def decay_at(self, step: int) -> float:
        """Return the decay of the averaged weights: short memory at first."""
        return min(self.average_decay, (1 + step) / (10 + step))


def one_stage(*, height_px: int, width_px: int) -> tuple[Stage, ...]:
    """Return the deployed resolution for the whole run: for training that begins from trained weights."""
    return (Stage(0.0, height_px, width_px),)


def growing_stages(*, height_px: int, width_px: int) -> tuple[Stage, ...]:
    """Return three stages that end at the deployed resolution, each rounded to multiples of 16."""
    shares = ((0.0, 0.6), (0.25, 0.8), (0.55, 1.0))
    return tuple(Stage(start, _sixteens(height_px * share), _sixteens(width_px * share)) for start, share in shares)


def progress_of(*, step: int, steps: int, spent_s: float, limit_s: float | None) -> float:
    """Return progress in 0 to 1."""
    by_steps = step / steps
    by_time = 0.0 if limit_s is None else spent_s / limit_s
    return min(max(by_steps, by_time), 1.0)


def _sixteens(side_px: float) -> int:
    return max(32, 16 * round(side_px / 16))
