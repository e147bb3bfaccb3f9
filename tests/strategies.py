"""Hypothesis strategies that several tests share."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.wire import messages as wm

DIM = 8
TIMES_S = st.floats(1.6e9, 1.9e9)
FRACTIONS = st.floats(0, 1, width=32)


@st.composite
def boxes_rel(draw: st.DrawFn) -> wm.Box:
    """A box inside the picture."""
    x1, x2 = sorted((draw(FRACTIONS), draw(FRACTIONS)))
    y1, y2 = sorted((draw(FRACTIONS), draw(FRACTIONS)))
    return (x1, y1, x2, y2)


def unit_rows(rng: np.random.Generator, rows: int, dim: int = DIM) -> NDArray[np.float32]:
    """(rows, dim) random embeddings of unit length."""
    vectors = rng.normal(size=(rows, dim)) + 1e-3
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
