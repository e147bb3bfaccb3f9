"""Which cameras a question is about, and how much of the time they saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ruid_core.occupancy import Gap, Span, Unseen, lost_by_reason, seen_shares, unseen_spans
from ruid_core.occupancy.values import Real, Whole
from ruid_hub.counting.errors import UnknownPlace
from ruid_hub.counting.values import CameraCoverage, Coverage, LostTime, Place
from ruid_hub.store import Store, counts
from ruid_hub.store.counts import CameraPlace

STILL_RUNNING_S = 30.0
"""Nodes are noted every few seconds: one that was heard so lately is running now."""
NOT_HEARD = "not heard"


@dataclass(frozen=True, slots=True)
class Where:
    """The cameras of a place; `everywhere` where that is all there are."""

    cameras: tuple[CameraPlace, ...]
    zone_id: str | None
    everywhere: bool
    time_zone: str

    @property
    def keys(self) -> Whole:
        """The cameras' keys in the columns."""
        return np.array([camera.camera_key for camera in self.cameras], np.int64)


def find(store: Store, place: Place) -> Where:
    """The cameras of a place. Raises UnknownPlace."""
    with store.reading() as connection:
        known = counts.camera_places(connection)
        zones = {site.site_id: site.time_zone for site in counts.site_records(connection)}
    chosen = tuple(camera for camera in known if _belongs(camera, place))
    site_id = place.site_id or (chosen[0].site_id if place.camera and chosen else None)
    # An empty site is told to those who may see every camera alone: to others it would give away that it exists.
    nothing_named = not chosen and (place.camera is not None or (bool(place.site_id) and place.allowed is not None))
    if nothing_named or (place.site_id is not None and place.site_id not in zones):
        raise UnknownPlace("there is no such place: ask for a site or a camera of this hub")
    if place.zone_id is not None and place.camera is None:
        raise UnknownPlace("a zone belongs to a camera: name the camera as well")
    first_zone = next(iter(zones.values()), "")
    return Where(chosen, place.zone_id, len(chosen) == len(known), zones.get(site_id, "") if site_id else first_zone)


def _belongs(camera: CameraPlace, place: Place) -> bool:
    return (
        (place.site_id is None or camera.site_id == place.site_id)
        and (place.camera is None or camera.camera == place.camera)
        and (place.allowed is None or camera.camera in place.allowed)
    )


@dataclass(frozen=True, slots=True)
class Sight:
    """What the cameras of a place did not see of a period."""

    asked: Span
    unseen: tuple[tuple[CameraPlace, tuple[Unseen, ...]], ...]
    items_lost: int

    def shares(self, edges_s: Sequence[float]) -> Real:
        """The mean share (0..1) that was seen of each stretch between the edges; a place without cameras saw all."""
        edges = np.minimum(np.array(edges_s), self.asked[1])
        if not self.unseen:
            return np.ones(len(edges) - 1)
        return np.mean(self._by_camera(edges), axis=0)

    def share(self) -> float:
        """The mean share of the whole period."""
        return float(self.shares(self.asked)[0])

    def coverage(self) -> Coverage:
        """In words, the worst camera first."""
        shares = self._by_camera(np.array(self.asked))
        cameras = [
            CameraCoverage(
                camera.camera,
                camera.name,
                float(share[0]),
                tuple(LostTime(reason, lost_s) for reason, lost_s in lost_by_reason(unseen)),
            )
            for (camera, unseen), share in zip(self.unseen, shares, strict=True)
        ]
        return Coverage(self.share(), tuple(sorted(cameras, key=lambda one: (one.share, one.camera))), self.items_lost)

    def _by_camera(self, edges_s: Real) -> list[Real]:
        # Cameras of one node mostly missed the same.
        alike = {unseen: seen_shares(edges_s, unseen) for unseen in {unseen for _, unseen in self.unseen}}
        return [alike[unseen] for _, unseen in self.unseen]


def sight(store: Store, where: Where, asked: Span, *, now_s: float, open_gaps: dict[str, Gap]) -> Sight:
    """What was seen of a period as far as it has passed; `open_gaps` are those of cameras that are down now."""
    until_s = max(asked[0], min(asked[1], now_s))
    past = (asked[0], until_s)
    with store.reading() as connection:
        running = counts.running_spans(connection, past)
        gaps = counts.gaps_of(connection, past)
        lost = counts.items_lost(connection, past, (camera.node_key for camera in where.cameras))
    unseen: list[tuple[CameraPlace, tuple[Unseen, ...]]] = []
    alike: dict[tuple[int, tuple[Gap, ...]], tuple[Unseen, ...]] = {}
    for camera in where.cameras:
        of_camera = (*gaps.get(camera.camera_key, ()), *_one(open_gaps.get(camera.camera)))
        key = (camera.node_key, of_camera)
        if key not in alike:
            ran = [_until_now(span, now_s) for span in running.get(camera.node_key, ())]
            alike[key] = unseen_spans(past, running=ran, gaps=of_camera, otherwise=NOT_HEARD)
        unseen.append((camera, alike[key]))
    return Sight(past, tuple(unseen), lost)


def _until_now(span: Span, now_s: float) -> Span:
    return (span[0], now_s) if now_s - STILL_RUNNING_S <= span[1] < now_s else span


def _one(gap: Gap | None) -> tuple[Gap, ...]:
    return () if gap is None else (gap,)
