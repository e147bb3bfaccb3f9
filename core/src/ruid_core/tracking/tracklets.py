"""A track becomes tracklets: stretches that are short enough to be useful while the person is still in view.

The first part leaves as soon as there is a crop worth trusting, or after a little patience with the best so far;
further parts follow at intervals, and the last one says that the track has ended. Each part keeps a few
embeddings that differ, not a mean: a person seen from the front and from behind is two prototypes.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TrackletSettings:
    """When a track is cut into parts and what a part keeps.

    A first part waits for an embedding of at least `good_quality`, at most `patience_s` seconds: that is more than the
    score of somebody whom the picture's edge cuts, as it does whoever comes in. `docs/tracking.md` has the figures.
    """

    prototypes: int = 4
    good_quality: float = 0.65
    patience_s: float = 0.6
    part_every_s: float = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One embedded crop of a track: `embedding` (D,) float32 of unit length, `quality` in 0..1.

    `crop_bgr` (h, w, 3) uint8 is a small picture of it for a thumbnail, or None where policy forbids any.
    """

    at_s: float
    grabbed_at_s: float
    embedding: NDArray[np.float32]
    quality: float
    crop_bgr: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track in one frame, its box in fractions of the picture."""

    track_id: int
    box_rel: Box
    started_at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Tracklet:
    """A stretch of a track; `embeddings` is (K, D) with K ≥ 0, `qualities` (K,), `part` counts from 0."""

    track_id: int
    part: int
    final: bool
    started_at_s: float
    ended_at_s: float
    grabbed_at_s: float
    box_rel: Box
    frames: int
    embeddings: NDArray[np.float32]
    qualities: NDArray[np.float32]
    crop_bgr: NDArray[np.uint8] | None


@dataclass(slots=True, eq=False)
class _OpenTracklet:
    """The stretch that is being recorded."""

    part: int
    started_at_s: float
    ended_at_s: float
    grabbed_at_s: float
    box_rel: Box
    frames: int = 0
    samples: list[Sample] = field(default_factory=list[Sample])
    best_crop: Sample | None = None


class TrackletRecorder:
    """Records the tracks of one camera; lives as long as its tracker, holds what its live tracks need."""

    def __init__(self, *, settings: TrackletSettings | None = None, dim: int) -> None:
        self._settings = settings or TrackletSettings()
        self._dim = dim
        self._open: dict[int, _OpenTracklet] = {}

    def see(self, sightings: Iterable[Sighting], *, at_s: float, grabbed_at_s: float) -> None:
        """Take in one frame's tracks."""
        for sighting in sightings:
            stretch = self._open.get(sighting.track_id)
            if stretch is None:
                stretch = _OpenTracklet(0, sighting.started_at_s, at_s, grabbed_at_s, sighting.box_rel)
                self._open[sighting.track_id] = stretch
            stretch.ended_at_s, stretch.grabbed_at_s = at_s, grabbed_at_s
            stretch.box_rel = sighting.box_rel
            stretch.frames += 1

    def add(self, track_id: int, sample: Sample) -> None:
        """Take in an embedded crop of a track that was seen; raise `KeyError` for one that was not."""
        stretch = self._open[track_id]
        stretch.samples.append(sample)
        if len(stretch.samples) > self._settings.prototypes:
            del stretch.samples[_least_missed(stretch.samples)]
        if sample.crop_bgr is not None and (stretch.best_crop is None or sample.quality >= stretch.best_crop.quality):
            stretch.best_crop = sample

    def drop_crops(self, track_id: int) -> None:
        """Forget the crops of the part that is being recorded: it shows nobody for certain."""
        stretch = self._open[track_id]
        stretch.samples.clear()
        stretch.best_crop = None

    def hand_over(self, track_id: int, to: int, *, own_until_s: float, since_s: float) -> Tracklet:
        """Go on recording as `to` a track that has shown somebody else since a time; raise `KeyError` for an unknown.

        Returns the last part of the former, who was surely there until `own_until_s`.
        """
        stretch = self._open[track_id]
        begun_s = max(since_s, stretch.started_at_s)
        other = self._open.setdefault(to, _OpenTracklet(0, begun_s, begun_s, stretch.grabbed_at_s, stretch.box_rel))
        other.ended_at_s, other.grabbed_at_s, other.box_rel = stretch.ended_at_s, stretch.grabbed_at_s, stretch.box_rel
        other.frames += 1
        stretch.ended_at_s = max(own_until_s, stretch.started_at_s)
        return self._cut(track_id, final=True)

    def cut_due(self, *, at_s: float, doubtful: Container[int] = ()) -> tuple[Tracklet, ...]:
        """Return the parts that are due now and go on recording their tracks; `doubtful` ones wait."""
        due = (track_id for track_id in list(self._open) if track_id not in doubtful and self._is_due(track_id, at_s))
        return tuple(self._cut(track_id, final=False) for track_id in due)

    def end(self, track_ids: Iterable[int]) -> tuple[Tracklet, ...]:
        """Return the last parts of tracks that have ended and forget them; unknown ones are passed over."""
        return tuple(self._cut(track_id, final=True) for track_id in track_ids if track_id in self._open)

    def _is_due(self, track_id: int, at_s: float) -> bool:
        stretch = self._open[track_id]
        hidden = stretch.ended_at_s < at_s  # says nothing new until it is seen again, or ends
        if hidden or not stretch.samples:
            return False
        age_s = at_s - stretch.started_at_s
        if stretch.part:
            return age_s >= self._settings.part_every_s
        good = max(sample.quality for sample in stretch.samples) >= self._settings.good_quality
        return good or age_s >= self._settings.patience_s

    def _cut(self, track_id: int, *, final: bool) -> Tracklet:
        stretch = self._open.pop(track_id)
        if not final:
            self._open[track_id] = _OpenTracklet(
                stretch.part + 1, stretch.ended_at_s, stretch.ended_at_s, stretch.grabbed_at_s, stretch.box_rel
            )
        return Tracklet(
            track_id=track_id,
            part=stretch.part,
            final=final,
            started_at_s=stretch.started_at_s,
            ended_at_s=stretch.ended_at_s,
            grabbed_at_s=stretch.grabbed_at_s,
            box_rel=stretch.box_rel,
            frames=stretch.frames,
            embeddings=_stack(stretch.samples, self._dim),
            qualities=np.array([sample.quality for sample in stretch.samples], np.float32),
            crop_bgr=stretch.best_crop.crop_bgr if stretch.best_crop else None,
        )


def _stack(samples: Sequence[Sample], dim: int) -> NDArray[np.float32]:
    rows = [sample.embedding for sample in samples]
    return np.stack(rows).astype(np.float32) if rows else np.zeros((0, dim), np.float32)


def _least_missed(samples: Sequence[Sample]) -> int:
    """Return the worse of the two samples that are most alike."""
    embeddings = np.stack([sample.embedding for sample in samples])
    similarity = embeddings @ embeddings.T
    np.fill_diagonal(similarity, -np.inf)
    left, right = divmod(int(similarity.argmax()), len(samples))
    return left if samples[left].quality <= samples[right].quality else right
