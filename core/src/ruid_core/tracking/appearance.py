"""What those whom one camera follows look like: enough to know somebody again, and to notice somebody else.

People who stand in each other's way exchange tracks. Crops of one person within seconds are alike, so a crop that is
not like those before is doubted: it shows somebody behind something, two people at once, or somebody else. Two such
crops that are alike say that it is somebody else since the first of them; of the others nobody can say whom they show.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ruid_core.tracking.tracklets import Sample

_RESEMBLANCE = 0.7
"""Cosine from which on crops taken near each other within seconds show one person; docs/tracking.md has figures."""
_MUCH_RATHER = 0.15
"""Doubted crops are somebody else's who are so much more alike than they are like the track's own."""
_NEWEST = 0.3
_LEAST_QUALITY = 0.3
"""A crop that scores less shows its person hardly better than chance; docs/tracking.md has figures."""
_SETTLED = 2
"""Crops that agree make a look; before, the odd one may as well be the first."""
_MOST_DOUBTED = 4
_LONGEST_DOUBT_S = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A track that showed one person until `own_until_s` shows another, of whom these `samples` are."""

    own_until_s: float
    samples: tuple[Sample, ...]

    @property
    def since_s(self) -> float:
        """From when on it is the other."""
        return self.samples[0].at_s

    @property
    def look(self) -> NDArray[np.float32]:
        """The (D,) unit embedding of the other."""
        return _look_of(self.samples)


@dataclass(slots=True, eq=False)
class _Look:
    mean: NDArray[np.float32]
    seen_at_s: float
    crops: int = 1
    doubted: list[Sample] = field(default_factory=list[Sample])

    def take(self, sample: Sample) -> None:
        """Take in an own crop; those doubted before showed nobody well."""
        self.mean = _unit(self.mean + _NEWEST * (sample.embedding - self.mean))
        self.seen_at_s = sample.at_s
        self.crops += 1
        self.doubted.clear()

    def doubt(self, sample: Sample) -> tuple[Sample, ...]:
        """Take in a crop that is not like the own; return those that show somebody else, none as long as it is unsure.

        The newest few are kept.
        """
        own = float(self.mean @ sample.embedding)
        alike = [float(before.embedding @ sample.embedding) for before in self.doubted]
        agreeing = [
            before
            for before, likeness in zip(self.doubted, alike, strict=True)
            if likeness >= max(_RESEMBLANCE, own + _MUCH_RATHER, float(self.mean @ before.embedding) + _MUCH_RATHER)
        ]
        self.doubted = [*self.doubted, sample][-_MOST_DOUBTED:]
        return (*agreeing, sample) if agreeing else ()

    def owns(self, sample: Sample) -> bool:
        """Whether a crop is like the own ones, and not more like one that is doubted."""
        alike = float(self.mean @ sample.embedding)
        others = (float(before.embedding @ sample.embedding) for before in self.doubted)
        return alike >= _RESEMBLANCE and alike >= max(others, default=-1.0)


class Appearances:
    """One look for each live track: a mean of its crops in which the newest weighs most."""

    def __init__(self) -> None:
        self._looks: dict[int, _Look] = {}

    def judge(self, track_id: int, sample: Sample) -> Sequence[Sample] | Exchange:
        """Take in a crop of a track; return what of it to record: nothing while it is doubtful whom it shows.

        After an `Exchange` the track is unknown; let whoever it is `begin`.
        """
        look = self._looks.get(track_id)
        if look is None:
            self._looks[track_id] = _Look(sample.embedding, sample.at_s)
            return (sample,)
        settled = look.crops >= _SETTLED
        if sample.quality < _LEAST_QUALITY:
            return () if settled and look.doubted else (sample,)
        if look.owns(sample):
            look.take(sample)
            return (sample,)
        other = look.doubt(sample)
        if settled and other:
            del self._looks[track_id]
            return Exchange(look.seen_at_s, other)
        if other:
            self.begin(track_id, other)
        return () if settled else (sample,)

    def begin(self, track_id: int, samples: Sequence[Sample]) -> None:
        """From now on a track shows the person of these crops, one at least, in the order of time."""
        self._looks[track_id] = _Look(_look_of(samples), samples[-1].at_s, len(samples))

    def doubtful(self, *, at_s: float) -> frozenset[int]:
        """The tracks of whom it is doubtful whom they show, and has not been for long."""
        return frozenset(
            track_id
            for track_id, look in self._looks.items()
            if look.crops >= _SETTLED and look.doubted and at_s - look.seen_at_s <= _LONGEST_DOUBT_S
        )

    def recognise(self, embedding: NDArray[np.float32], *, among: Iterable[int]) -> int | None:
        """Return the track whom a (D,) unit embedding shows: the most alike of all, if it is one of these."""
        if not self._looks:
            return None
        track_id = max(self._looks, key=lambda known: float(self._looks[known].mean @ embedding))
        alike = float(self._looks[track_id].mean @ embedding) >= _RESEMBLANCE
        return track_id if alike and track_id in among else None

    def forget(self, track_ids: Iterable[int]) -> None:
        """Drop what is known of tracks that have ended."""
        for track_id in track_ids:
            self._looks.pop(track_id, None)


def _look_of(samples: Sequence[Sample]) -> NDArray[np.float32]:
    return _unit(np.sum([sample.embedding for sample in samples], axis=0))


def _unit(row: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32]:
    return (row / max(float(np.linalg.norm(row)), 1e-6)).astype(np.float32)
