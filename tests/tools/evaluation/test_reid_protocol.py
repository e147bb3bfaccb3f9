"""The Market-1501 protocol, against an example worked by hand and against another implementation."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_tools.evaluation.reid_protocol import (
    LabelledEmbeddings,
    NoAnswerableQueryError,
    average_precision,
    ranked_answers,
    score_retrieval,
)


def at_angles(degrees: list[float], identities: list[int], cameras: list[int]) -> LabelledEmbeddings:
    """Unit vectors in the plane: the similarity of two falls with the angle between them."""
    angles = np.deg2rad(degrees)
    return LabelledEmbeddings(
        embeddings=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        identities=np.array(identities, dtype=np.int64),
        cameras=np.array(cameras, dtype=np.int64),
    )


def test_example_worked_by_hand() -> None:
    """Query A ranks right, wrong, right, wrong: AP = (1/1 + 2/3) / 2. Query B ranks its answer third: AP = 1/3."""
    query = at_angles([0, 90], [1, 2], [1, 1])
    gallery = at_angles([10, 20, 30, 80], [1, 2, 1, 3], [2, 2, 2, 2])
    scores = score_retrieval(query, gallery)
    assert scores.mean_average_precision == pytest.approx(((1 + 2 / 3) / 2 + 1 / 3) / 2)
    assert scores.rank1 == pytest.approx(0.5)
    assert scores.rank5 == 1.0
    assert (scores.queries, scores.gallery) == (2, 4)


def test_same_identity_by_the_same_camera_is_left_out() -> None:
    query = at_angles([0], [1], [1])
    gallery = at_angles([0, 20, 40], [1, 2, 1], [1, 1, 2])
    assert [ranking.tolist() for ranking in ranked_answers(query, gallery)] == [[False, True]]


def test_junk_is_left_out_and_distractors_are_wrong_answers() -> None:
    query = at_angles([0], [1], [1])
    gallery = at_angles([5, 10, 15], [-1, 0, 1], [2, 2, 2])
    scores = score_retrieval(query, gallery)
    assert scores.mean_average_precision == pytest.approx(1 / 2)
    assert scores.gallery == 2


def test_query_without_a_right_answer_does_not_count() -> None:
    query = at_angles([0, 90], [1, 7], [1, 1])
    gallery = at_angles([10, 80], [1, 7], [2, 1])
    assert score_retrieval(query, gallery).queries == 1


def test_nothing_to_answer_is_an_error() -> None:
    with pytest.raises(NoAnswerableQueryError, match="no query has a right answer"):
        score_retrieval(at_angles([0], [1], [1]), at_angles([0], [1], [1]))


def brute_force_average_precision(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Area under the precision-recall steps, one threshold at a time."""
    area, recall_before = 0.0, 0.0
    for threshold in sorted(scores.tolist(), reverse=True):
        retrieved = scores >= threshold
        hits = float(np.sum(right & retrieved))
        recall = hits / float(right.sum())
        area += (recall - recall_before) * hits / float(retrieved.sum())
        recall_before = recall
    return area


def test_agrees_with_the_area_under_the_precision_recall_steps() -> None:
    rng = np.random.default_rng(7)
    gallery = LabelledEmbeddings(
        embeddings=_unit(rng.normal(size=(120, 8))),
        identities=rng.integers(1, 12, size=120),
        cameras=rng.integers(1, 4, size=120),
    )
    query = LabelledEmbeddings(_unit(rng.normal(size=(30, 8))), rng.integers(1, 12, size=30), rng.integers(1, 4, 30))
    expected: list[float] = []
    for embedding, identity, camera in zip(query.embeddings, query.identities, query.cameras, strict=True):
        kept = ~((gallery.identities == identity) & (gallery.cameras == camera))
        right = (gallery.identities == identity)[kept]
        if right.any():
            expected.append(brute_force_average_precision((gallery.embeddings @ embedding)[kept], right))
    assert score_retrieval(query, gallery).mean_average_precision == pytest.approx(float(np.mean(expected)))


def test_average_precision_of_a_perfect_ranking_is_one() -> None:
    assert average_precision(np.array([True, True, False])) == 1.0


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
