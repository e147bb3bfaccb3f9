"""Whether a picture is worth the detector: not where nothing has changed since it looked last.

Pictures are compared as means over blocks of a small sample, so noise averages out; a change of the light as a whole
does not count, and a block that has often changed while nobody was found (a tree, a screen) must change more to count.
However still it is, the detector looks again after a while: a person who stands still is not lost, nor one who came in
unnoticed.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_BLOCK = 4
_DEVIATIONS_PER_MEDIAN = 1.4826


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Changes in grey levels of a block's mean: more than the least, more than the picture's noise explains (its median
    change, as a standard deviation), and more than a block's own usual unrest.
    """

    least_change: float = 3.0
    noise_factor: float = 6.0
    unrest_factor: float = 4.0
    learning: float = 0.02
    empty_look_every_s: float = 1.5
    occupied_look_every_s: float = 0.25


class ChangeGate:
    """One camera's gate: ask `opens_for` for each picture, tell `looked` after the detector did.

    `changed` says whether the last picture asked for differs from what the detector saw.
    """

    def __init__(self, *, settings: GateSettings | None = None) -> None:
        self._settings = settings or GateSettings()
        self._reference: NDArray[np.float32] | None = None
        self._blocks: NDArray[np.float32] | None = None
        self._unrest = np.zeros((0, 0), np.float32)
        self._looked_at_s = float("-inf")
        self.changed = True

    def opens_for(self, sample: NDArray[np.uint8], *, at_s: float, occupied: bool) -> bool:
        """Return whether the detector should look at the picture that `sample` (h, w) is of."""
        settings = self._settings
        self._blocks = _block_means(sample)
        look_every_s = settings.occupied_look_every_s if occupied else settings.empty_look_every_s
        change = self._change(self._blocks)
        self.changed = change is None or self._is_much(change)
        return self.changed or not 0 <= at_s - self._looked_at_s < look_every_s

    def looked(self, *, at_s: float, found_somebody: bool) -> None:
        """Note that the detector has looked at the last picture asked for; what moved by itself is unrest."""
        if self._blocks is None:
            return
        change = self._change(self._blocks)
        if change is None:
            self._unrest = np.zeros_like(self._blocks)
        elif not found_somebody:
            self._unrest += self._settings.learning * (change - self._unrest)
        self._reference, self._looked_at_s = self._blocks, at_s

    def _is_much(self, change: NDArray[np.float32]) -> bool:
        settings = self._settings
        noise = settings.noise_factor * _DEVIATIONS_PER_MEDIAN * float(np.median(change))
        limits = np.maximum(max(settings.least_change, noise), settings.unrest_factor * self._unrest)
        return bool((change > limits).any())

    def _change(self, blocks: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return how much each block differs from the one that the detector saw, the light as a whole left out; None
        where there is nothing to compare with.
        """
        if self._reference is None or self._reference.shape != blocks.shape:
            return None
        difference = blocks - self._reference
        return np.abs(difference - np.median(difference))


def _block_means(sample: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = (max(_BLOCK, side - side % _BLOCK) for side in sample.shape)
    blocks = cv2.resize(sample[:height, :width], (width // _BLOCK, height // _BLOCK), interpolation=cv2.INTER_AREA)
    return blocks.astype(np.float32)
