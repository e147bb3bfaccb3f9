"""Evidence is checked before anything is learned from it."""

import math

import numpy as np

from ruid_core.identity.errors import NoEmbeddings, NotFinite, TimeWentBackwards, WrongShape, ZeroNorm
from ruid_core.identity.values import Evidence

SMALLEST_NORM = 1e-6


def check_evidence(evidence: Evidence) -> None:
    """Raise the `EvidenceRefused` that fits, looking at the evidence alone."""
    rows, qualities = evidence.embeddings, evidence.qualities
    if rows.ndim != 2 or qualities.shape != rows.shape[:1]:
        raise WrongShape(rows.shape, qualities.shape)
    if rows.size == 0:
        raise NoEmbeddings
    if not (math.isfinite(evidence.started_at_s) and math.isfinite(evidence.at_s)):
        raise NotFinite
    squares: list[float] = np.einsum("kd,kd->k", rows, rows).tolist()  # few: faster one by one than as an array
    if not (all(map(math.isfinite, squares)) and all(map(math.isfinite, qualities.tolist()))):
        raise NotFinite
    if min(squares) < SMALLEST_NORM**2:
        raise ZeroNorm
    if evidence.at_s < evidence.started_at_s:
        raise TimeWentBackwards(evidence.camera, evidence.started_at_s, evidence.at_s)
