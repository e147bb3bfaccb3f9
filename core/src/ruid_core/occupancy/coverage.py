"""Which part of a period a camera really saw, and what kept it from seeing the rest.

A camera sees while its node runs, but for the gaps that the node itself reports. That the hub could not hear the node
for a while costs nothing: the node kept what it saw and delivered it later. A gap that only the hub noticed therefore
never takes time away; it only gives the reason where the node was not running.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ruid_core.occupancy.values import Real

Span = tuple[float, float]
"""From when to when, in seconds; half open."""


@dataclass(frozen=True, slots=True)
class Gap:
    """From when to when a camera did not see or was not heard; `by_node` where its node says so."""

    span: Span
    reason: str
    by_node: bool


@dataclass(frozen=True, slots=True)
class Unseen:
    """A stretch that nobody saw, and why."""

    span: Span
    reason: str


def unseen_spans(asked: Span, *, running: Iterable[Span], gaps: Sequence[Gap], otherwise: str) -> tuple[Unseen, ...]:
    """What of a period was not seen, in order, each second once; `otherwise` is the reason where no gap gives one."""
    ran = clipped(merged(running), asked)
    stopped = _without(clipped([asked], asked), ran)
    blind, _ = _explained(ran, [gap for gap in gaps if gap.by_node])
    away, left = _explained(stopped, [gap for gap in gaps if not gap.by_node])
    return tuple(sorted([*blind, *away, *(Unseen(span, otherwise) for span in left)], key=lambda one: one.span))


def lost_by_reason(unseen: Iterable[Unseen]) -> tuple[tuple[str, float], ...]:
    """Seconds by reason, the longest first."""
    lost_s: dict[str, float] = defaultdict(float)
    for stretch in unseen:
        lost_s[stretch.reason] += stretch.span[1] - stretch.span[0]
    return tuple(sorted(lost_s.items(), key=lambda reason: (-reason[1], reason[0])))


def seen_shares(edges_s: Real, unseen: Sequence[Unseen]) -> Real:
    """The share (0..1) that was seen of each of the (N - 1) stretches between the edges (N,), which ascend.

    `unseen` is in order and does not overlap. A stretch without length counts as seen.
    """
    bounds_s = np.array([bound for stretch in unseen for bound in stretch.span])
    if not len(bounds_s):
        return np.ones(len(edges_s) - 1)
    lengths_s = bounds_s[1::2] - bounds_s[::2]
    lost_until_s = np.zeros(len(bounds_s))
    lost_until_s[1::2] = np.cumsum(lengths_s)
    lost_until_s[2::2] = np.cumsum(lengths_s)[:-1]
    asked_s = np.diff(edges_s)
    lost_s = np.diff(np.interp(edges_s, bounds_s, lost_until_s))
    return 1.0 - np.divide(lost_s, asked_s, out=np.zeros(len(asked_s)), where=asked_s > 0.0)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as non-overlapping spans in order."""
    joined: list[Span] = []
    for start_s, end_s in sorted(spans):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        elif end_s > start_s:
            joined.append((start_s, end_s))
    return joined


def clipped(spans: Iterable[Span], bounds: Span) -> list[Span]:
    """What of the spans lies within the bounds."""
    cut = [(max(start_s, bounds[0]), min(end_s, bounds[1])) for start_s, end_s in spans]
    return [(start_s, end_s) for start_s, end_s in cut if end_s > start_s]


def _without(spans: Iterable[Span], taken: Sequence[Span]) -> list[Span]:
    """What of the spans the taken ones (in order, not overlapping) leave."""
    left: list[Span] = []
    for start_s, end_s in spans:
        at_s = start_s
        for first_s, last_s in clipped(taken, (start_s, end_s)):
            if first_s > at_s:
                left.append((at_s, first_s))
            at_s = last_s
        if end_s > at_s:
            left.append((at_s, end_s))
    return left


def _explained(spans: list[Span], gaps: Iterable[Gap]) -> tuple[list[Unseen], list[Span]]:
    """What the gaps take of the spans, each second once and the earlier gap first, and what they leave."""
    taken: list[Unseen] = []
    for gap in sorted(gaps, key=lambda one: one.span):
        taken += [
            Unseen((max(start_s, gap.span[0]), min(end_s, gap.span[1])), gap.reason)
            for start_s, end_s in spans
            if min(end_s, gap.span[1]) > max(start_s, gap.span[0])
        ]
        spans = _without(spans, [gap.span])
    return taken, spans
