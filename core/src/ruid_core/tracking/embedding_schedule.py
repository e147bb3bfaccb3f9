"""Which of the people in view to embed in this frame: embeddings are the dearest thing on a small machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingScheduleSettings:
    """A new track is embedded at once, then every `refresh_s`, or sooner when it shows itself clearly better.

    `per_frame` bounds the work of one frame; those left out come first in the next. A crop below
    `worst_quality` waits up to `patience_s` for a better one.
    """

    per_frame: int = 8
    refresh_s: float = 0.5
    better_by: float = 0.15
    at_least_s: float = 0.15
    worst_quality: float = 0.3
    patience_s: float = 0.4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track that is visible in this frame; `quality` of its crop is in 0..1."""

    track_id: int
    quality: float
    started_at_s: float


@dataclass(frozen=True, slots=True)
class _Past:
    at_s: float
    best_quality: float


class EmbeddingSchedule:
    """Chooses for one camera; holds one small record per live track."""

    def __init__(self, *, settings: EmbeddingScheduleSettings | None = None) -> None:
        self._settings = settings or EmbeddingScheduleSettings()
        self._past: dict[int, _Past] = {}

    def choose(self, candidates: Sequence[Candidate], *, at_s: float, slower: float = 1.0) -> tuple[int, ...]:
        """Return the indices of the candidates to embed now, most urgent first, and note them as embedded.

        With `slower`, refreshes wait that many times longer and a frame has room for that many times fewer.
        """
        urgencies = [self._urgency(candidate, at_s, self._settings.refresh_s * slower) for candidate in candidates]
        order = sorted(range(len(candidates)), key=lambda index: -urgencies[index])
        room = max(1, int(self._settings.per_frame / slower))
        chosen = tuple(index for index in order if urgencies[index] > 0)[:room]
        for index in chosen:
            self._note(candidates[index], at_s)
        return chosen

    def forget(self, track_ids: Iterable[int]) -> None:
        """Drop what is known of tracks that have ended."""
        for track_id in track_ids:
            self._past.pop(track_id, None)

    def _note(self, candidate: Candidate, at_s: float) -> None:
        past = self._past.get(candidate.track_id)
        best = max(candidate.quality, past.best_quality) if past else candidate.quality
        self._past[candidate.track_id] = _Past(at_s, best)

    def _urgency(self, candidate: Candidate, at_s: float, refresh_s: float) -> float:
        """Return how many refresh periods overdue the track is (new tracks count as many), 0 for not due."""
        settings = self._settings
        past = self._past.get(candidate.track_id)
        if past is None:
            waited_s = at_s - candidate.started_at_s
            worth_it = candidate.quality >= settings.worst_quality or waited_s >= settings.patience_s
            return 100.0 if worth_it else 0.0
        since_s = at_s - past.at_s
        better = candidate.quality >= past.best_quality + settings.better_by and since_s >= settings.at_least_s
        # A period is met a little early rather than a frame late.
        due = since_s >= 0.9 * refresh_s
        return since_s / refresh_s if due or better else 0.0
