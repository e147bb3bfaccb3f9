"""What a person who looks things over wants to know: who might be one, who looks like whom, and why."""

from dataclasses import dataclass
from math import exp

import numpy as np

from ruid_core.identity.arrays import F64, Flags, Ints, unit_rows
from ruid_core.identity.calibration import Calibration
from ruid_core.identity.constraints import overlapping
from ruid_core.identity.gallery import Gallery
from ruid_core.identity.values import Alternative, Decision, Reason

MOST_COMPARED = 2048
MOST_NEAREST = 8
LEAST_PROBABLE = 0.02


@dataclass(frozen=True, slots=True)
class Nearest:
    """A track that was compared with, whose it is, and how alike the two are."""

    track: str
    identity_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a track belongs to whom it does: the decision as it would be told now, and the most alike tracks."""

    decision: Decision
    nearest: tuple[Nearest, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two identities that may be one, and the probability that they are."""

    one_id: str
    other_id: str
    similarity: float
    probability: float


def nearest_tracks(gallery: Gallery, row: int) -> tuple[Nearest, ...]:
    """The tracks most like one, itself left out."""
    rows = gallery.tracks.used()
    rows = rows[rows != row]
    scores = gallery.tracks.vectors[rows] @ gallery.tracks.vectors[row]
    order = np.argsort(-scores, kind="stable")[:MOST_NEAREST].tolist()
    names = [gallery.tracks.names[int(rows[place])] for place in order]
    return tuple(
        Nearest(name, gallery.name_of(name), float(scores[place])) for name, place in zip(names, order, strict=True)
    )


def operator_reasons(gallery: Gallery, track: str) -> tuple[Reason, ...]:
    """What operators said that bears on a track."""
    bound = sum(len(one.left) - 1 for _, one in gallery.statements.about((track,)) if one.together)
    foes = len(gallery.statements.foes(track))
    told: list[Reason] = []
    if bound:
        told.append(Reason("operator", float(bound), f"an operator said that it is one with {bound} other tracks"))
    if foes:
        told.append(Reason("operator", -float(foes), f"an operator said that it is not the person of {foes} tracks"))
    return tuple(told)


def similar(gallery: Gallery, identity: int, calibration: Calibration, *, limit: int) -> tuple[Alternative, ...]:
    """Who looks most like an identity, with the probability of being the same person."""
    scores = gallery.identities.similarities(unit_rows(gallery.identities.sums[identity][None])[0])
    scores[identity] = -np.inf
    order: list[int] = np.argsort(-scores, kind="stable")[:limit].tolist()
    return tuple(
        Alternative(gallery.identities.names[row], float(scores[row]), chance(calibration, float(scores[row])))
        for row in order
        if scores[row] > -np.inf
    )


def chance(calibration: Calibration, similarity: float) -> float:
    """Probability of "the same" at a similarity, were there nobody else."""
    return 1.0 / (1.0 + exp(-max(-60.0, min(60.0, calibration.log_odds(similarity)))))


def suggest(gallery: Gallery, calibration: Calibration, *, limit: int) -> tuple[Suggestion, ...]:
    """The likeliest pairs among the identities seen last, without those that cannot be."""
    tracks, identities = gallery.tracks, gallery.identities
    rows = tracks.used()
    seen = np.unique(tracks.identities[rows])
    seen = seen[np.argsort(-identities.seen_s[seen], kind="stable")[:MOST_COMPARED]]
    means = identities.sums[seen] / identities.counts[seen][:, None]
    alike = np.triu(means @ means.T, 1)
    alike[_impossible(gallery, rows, seen)] = -np.inf
    least = calibration.price + calibration.scale * float(np.log(LEAST_PROBABLE / (1.0 - LEAST_PROBABLE)))
    one, other = np.nonzero((alike > least) & np.triu(np.ones(alike.shape, np.bool_), 1))
    scores = alike[one, other]
    order = np.argsort(-scores, kind="stable")[:limit].tolist()
    names = identities.names
    return tuple(
        Suggestion(
            names[seen[one[at]]], names[seen[other[at]]], float(scores[at]), chance(calibration, float(scores[at]))
        )
        for at in order
    )


def _impossible(gallery: Gallery, rows: Ints, seen: Ints) -> Flags:
    """(S, S) which identities were in view together, or are kept apart by an operator or by their names."""
    tracks = gallery.tracks
    place = np.full(len(gallery.identities.names), -1)
    place[seen] = np.arange(len(seen))
    times: tuple[Ints, F64, F64] = (tracks.cameras[rows], tracks.started_s[rows], tracks.at_s[rows])
    clash = np.zeros((len(seen) + 1,) * 2, np.bool_)
    one, other = np.nonzero(overlapping(*times))
    owners = place[tracks.identities[rows]]
    clash[owners[one], owners[other]] = True
    for _, statement in gallery.statements:
        left, right = (
            [int(place[gallery.identity_row(name)]) for name in names] for names in (statement.left, statement.right)
        )
        clash[np.ix_(left, right)] = clash[np.ix_(right, left)] = True
    labels = [gallery.labels.get(row) for row in seen.tolist()]
    named = np.array([label is not None for label in labels], np.bool_)
    texts = np.array([label or "" for label in labels])
    clash[:-1, :-1] |= named[:, None] & named[None] & (texts[:, None] != texts[None])
    return clash[:-1, :-1]
