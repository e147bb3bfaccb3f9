"""What the teacher's embeddings are made into before they are imitated."""

import numpy as np

from ruid_tools.train.teacher import spread


def cone(count: int = 400) -> np.ndarray:
    """Unit vectors about one direction that vary most along a second one."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 6)) * np.array([0.1, 1, 0.2, 0.2, 0.2, 0.2]) + np.array([2, 0, 0, 0, 0, 0])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_spread_embeddings_have_unit_length_and_no_common_part() -> None:
    turned = spread(cone(), strength=0.5)
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)
    assert np.linalg.norm(turned.mean(axis=0)) < 0.1


def test_the_strongest_direction_loses_its_lead_as_strength_grows() -> None:
    shares = [np.linalg.eigvalsh(np.cov(spread(cone(), strength=strength).T)) for strength in (0.25, 0.5, 1.0)]
    leads = [float(values[-1] / values.sum()) for values in shares]
    assert leads == sorted(leads, reverse=True)


def test_strength_zero_changes_nothing() -> None:
    assert spread(cone(), strength=0) is not None
    assert np.array_equal(spread(cone(), strength=0), cone())
