"""Whether a camera sees what it should: covered, dark, blurred, moved or frozen, from a look twice a second.

What is usual is learned from the camera itself: how much detail each part of its picture has, how sharp it is, and
where its edges are. People pass in front of it, so a finding needs most of the picture, and has to last.

- frozen: not one value of the sample changes, for longer than a video stream repeats a picture.
- covered: most parts that used to have detail have lost it.
- dark: hardly any light.
- blurred: fine detail is much weaker against coarse detail than it used to be.
- moved: most parts do not show the edges that they used to.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Array = NDArray[np.float32]

COVERED, DARK, BLURRED, MOVED, FROZEN = "covered", "dark", "blurred", "moved", "frozen"

_TILES = (6, 8)
"""Rows and columns of parts that are judged on their own."""


@dataclass(frozen=True, slots=True)
class SenseSettings:
    """Grey levels, shares and seconds; a finding is raised and dropped once it has lasted.

    `raised_after_s` holds for every finding but frozen, which is raised after `frozen_after_s`.
    """

    dark_below: float = 18.0
    plain_contrast: float = 0.04
    detail_left: float = 0.25
    covered_share: float = 0.7
    blurred_below: float = 0.66
    never_sharp_below: float = 0.06
    alike_above: float = 0.4
    moved_share: float = 0.6
    textured_contrast: float = 0.05
    frozen_after_s: float = 12.0
    raised_after_s: float = 2.0
    learned_after_s: float = 4.0
    new_view_after_s: float = 600.0
    learning: float = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one picture shows: contrast and edges of each tile, sharpness and brightness of the whole."""

    contrasts: Array
    edges: Array
    sharpness: float
    brightness: float


class SceneSense:
    """Judges one camera; begins anew when its view is meant to change. Holds a few small arrays."""

    def __init__(self, *, settings: SenseSettings | None = None) -> None:
        self._settings = settings or SenseSettings()
        self._usual: _Look | None = None
        self._learned_since_s = 0.0
        self._since_s: dict[str, float] = {}
        self._until_s: dict[str, float] = {}
        self._raised: tuple[str, ...] = ()
        self._last: Grey | None = None
        self._changed_at_s = 0.0

    def see(self, sample: Grey, picture_bgr: NDArray[np.uint8], *, at_s: float) -> tuple[str, ...]:
        """Take in a picture (H, W, 3) with an evenly drawn grey sample (h, w) of it, both at least 32 pixels a side;
        return what is wrong with the view, as far as it has lasted.
        """
        look = _look_at(sample, picture_bgr)
        if self._usual is None or self._usual.edges.shape != look.edges.shape:
            self._usual, self._learned_since_s = look, at_s
        found = self._find(look, at_s, self._usual) | self._find_frozen(sample, at_s)
        self._raise(found, at_s)
        self._learn(look, at_s, found, self._usual)
        return self._raised

    def _find(self, look: _Look, at_s: float, usual: _Look) -> set[str]:
        """Return what seems wrong in this picture; what explains the rest comes first."""
        settings = self._settings
        dark = {DARK} if look.brightness < settings.dark_below else set[str]()
        if self._is_covered(look, usual):
            return dark | {COVERED}
        if dark:
            return dark
        if look.sharpness < max(settings.never_sharp_below, settings.blurred_below * usual.sharpness):
            return {BLURRED}
        learned = at_s - self._learned_since_s >= settings.learned_after_s
        return {MOVED} if learned and self._is_moved(look, usual) else set()

    def _is_covered(self, look: _Look, usual: _Look) -> bool:
        settings = self._settings
        limits = np.maximum(settings.plain_contrast, settings.detail_left * usual.contrasts)
        had_detail = usual.contrasts >= settings.textured_contrast
        lost = look.contrasts < limits
        if not had_detail.any():
            return bool(lost.mean() >= settings.covered_share)
        return bool(lost[had_detail].mean() >= settings.covered_share)

    def _is_moved(self, look: _Look, usual: _Look) -> bool:
        textured = usual.contrasts >= self._settings.textured_contrast
        if np.count_nonzero(textured) < textured.size / 4:
            return False
        unlike = _correlations(look.edges, usual.edges) < self._settings.alike_above
        return bool(unlike[textured].mean() >= self._settings.moved_share)

    def _find_frozen(self, sample: Grey, at_s: float) -> set[str]:
        if self._last is None or not np.array_equal(sample, self._last):
            self._last, self._changed_at_s = sample, at_s
        settings = self._settings
        found_after_s = settings.frozen_after_s - settings.raised_after_s  # it is raised once it was found for a while
        return {FROZEN} if at_s - self._changed_at_s >= found_after_s else set()

    def _raise(self, found: set[str], at_s: float) -> None:
        """Raise what has been found for a while, drop what has not been found for a while."""
        after_s = self._settings.raised_after_s
        for name in (COVERED, DARK, BLURRED, MOVED, FROZEN):
            if name in found:
                self._since_s.setdefault(name, at_s)
                self._until_s[name] = at_s
            elif at_s - self._until_s.get(name, at_s) >= after_s:
                self._since_s.pop(name, None)
        self._raised = tuple(name for name, since_s in self._since_s.items() if at_s - since_s >= after_s)

    def _learn(self, look: _Look, at_s: float, found: set[str], usual: _Look) -> None:
        """Learn slowly from good pictures; take another view as the usual one after it has been told for long."""
        if MOVED in found and at_s - self._since_s[MOVED] >= self._settings.new_view_after_s:
            self._usual, self._learned_since_s = look, at_s
        if found:
            return
        rate = self._settings.learning
        self._usual = _Look(
            contrasts=_towards(usual.contrasts, look.contrasts, rate),
            edges=_towards(usual.edges, look.edges, rate),
            sharpness=usual.sharpness + rate * (look.sharpness - usual.sharpness),
            brightness=look.brightness,
        )


def _towards(usual: Array, now: Array, rate: float) -> Array:
    return (usual + rate * (now - usual)).astype(np.float32)


def _look_at(sample: Grey, picture_bgr: NDArray[np.uint8]) -> _Look:
    grey = _cut_to_tiles(sample).astype(np.float32)
    tiles = _tiles(grey)
    brightness = float(grey.mean())
    contrasts = (tiles.std(axis=(1, 3)) / (brightness + 5)).astype(np.float32)
    return _Look(contrasts, _edges(grey), _sharpness(picture_bgr), brightness)


def _cut_to_tiles(sample: Grey) -> Grey:
    rows, columns = _TILES
    return sample[: sample.shape[0] // rows * rows, : sample.shape[1] // columns * columns]


def _tiles(grey: Array) -> Array:
    """Return (rows, height, columns, width): an (h, w) picture in equal parts."""
    rows, columns = _TILES
    return grey.reshape(rows, grey.shape[0] // rows, columns, grey.shape[1] // columns)


def _edges(grey: Array) -> Array:
    """Return (h, w) strengths of edges."""
    edges = np.zeros_like(grey)
    edges[:, :-1] += np.abs(np.diff(grey, axis=1))
    edges[:-1] += np.abs(np.diff(grey, axis=0))
    return edges


def _correlations(left: Array, right: Array) -> Array:
    """Return (rows, columns) correlations of two pictures' tiles; 0 where one of them is flat."""
    one, other = _about_their_means(left), _about_their_means(right)
    shared: Array = (one * other).mean(axis=(1, 3))
    spread: Array = np.sqrt((one * one).mean(axis=(1, 3)) * (other * other).mean(axis=(1, 3)))
    return np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 0)


def _about_their_means(picture: Array) -> Array:
    tiles = _tiles(picture)
    return tiles - tiles.mean(axis=(1, 3), keepdims=True)


def _sharpness(picture_bgr: NDArray[np.uint8]) -> float:
    """Return how strong steps over two pixels are against steps over sixteen, along every eighth row.

    Sums of two neighbours are compared, so that a sensor's noise counts for less, by their squares: blurring keeps the
    sum of all steps, but not that of their squares. 0 for a picture without steps.
    """
    rows = picture_bgr[4::8, :, 1].astype(np.float32)
    pairs = rows[:, :-1] + rows[:, 1:]
    coarse = float(np.square(pairs[:, 16:] - pairs[:, :-16]).mean())
    fine = float(np.square(pairs[:, 2:] - pairs[:, :-2]).mean())
    return (fine / (coarse + 1.0)) ** 0.5
