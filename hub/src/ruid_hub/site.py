"""The live picture of one site: who is in view now, whom the hub knows, and how the cameras do.

Held in memory, fed by the service, read by the pages. Nothing here looks at a clock: `at_s` is the hub's own
time in seconds since the Unix epoch, and never goes back more than the clock does. Times inside messages must
already be corrected to the hub's clock; ages use the time of arrival, so that a node's clock cannot fake them.

A camera's life, changed in `_Camera.enter` alone:

    NEVER ──heard──▶ UP ──silent for 4 s, node gone, source lost──▶ DOWN ──heard──▶ UP, and the gap is known
                     UP ──its recording ended──▶ ENDED ──heard──▶ UP, without a gap
"""

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, floor

from ruid_core.wire.messages import CameraHealth, Health, Hello, Live
from ruid_hub.cards import CARDS, Cards, KnownPerson, Sighting
from ruid_hub.observations import Assignment, CoverageGap, HealthSample, TrackKey

__all__ = [
    "CARDS",
    "CameraState",
    "CameraView",
    "HealthSample",
    "KnownPerson",
    "Latency",
    "PersonCard",
    "Site",
    "SiteView",
    "StateChange",
    "UniqueCount",
    "ZoneNow",
]

SILENCE_S = 4.0
"""A camera that says nothing for this long is down."""
LIVE_TRACK_S = 2.0
"""A live track that no message repeats for this long is no longer in view."""
CAMERAS = 1000
LATENCIES = 200
CHANGES = 10 * CAMERAS


class CameraState(StrEnum):
    """See the life cycle in this module's docstring."""

    NEVER = "never"
    UP = "up"
    DOWN = "down"
    ENDED = "ended"


_MOVES: Mapping[CameraState, frozenset[CameraState]] = {
    CameraState.NEVER: frozenset({CameraState.UP, CameraState.DOWN, CameraState.ENDED}),
    CameraState.UP: frozenset({CameraState.DOWN, CameraState.ENDED}),
    CameraState.DOWN: frozenset({CameraState.UP, CameraState.ENDED}),
    CameraState.ENDED: frozenset({CameraState.UP, CameraState.DOWN}),
}


# --- what a reader gets --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UniqueCount:
    """How many different people so far; `low` and `high` where the identity engine gave an interval."""

    count: int
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """From the newest frame behind an observation to its identity."""

    p50_ms: int
    p95_ms: int


@dataclass(frozen=True, slots=True)
class ZoneNow:
    """How many are in one zone of a camera now."""

    zone_id: str
    name: str
    people_now: int


@dataclass(frozen=True, slots=True)
class CameraView:
    """One camera for a reader; ages are whole seconds, so that a view changes no more often than it must.

    `camera` is `node_id/camera_id`; `reason` says why it is not up. `senses` names what is wrong with the picture,
    `steps` what the node gave up to keep pace, `temperature_c` is the node's in whole degrees. `clock_offset_s` is what
    the node's clock lacks to the hub's, give or take `clock_error_s`; None until the node has measured it.
    `started_after` is why the node's run before this one ended; empty where it ended well. `slowed_by` names what the
    node's machine is slowed down by now, as its firmware says.
    """

    camera: str
    name: str
    node_name: str
    state: CameraState
    since_s: float | None
    reason: str
    people_now: int
    fps: float | None
    last_frame_age_s: int | None
    latency: Latency | None
    drops: tuple[tuple[str, int], ...]
    last_gap: CoverageGap | None
    zones: tuple[ZoneNow, ...] = ()
    senses: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    temperature_c: int | None = None
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
    started_after: str = ""
    slowed_by: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Frames dropped since the node's boot, over all reasons."""
        return sum(frames for _, frames in self.drops)


@dataclass(frozen=True, slots=True)
class PersonCard:
    """One identity for a reader; `last_camera` and `cameras` are names, in the order of first sight."""

    identity_id: str
    label: str
    present: bool
    last_camera: str
    cameras: tuple[str, ...]
    first_seen_s: float
    last_seen_s: float
    thumbnail_id: int | None


@dataclass(frozen=True, slots=True)
class SiteView:
    """The whole live picture at one moment; `people` has those in view first, then the last seen."""

    people_now: int
    unique: UniqueCount
    cameras: tuple[CameraView, ...]
    people: tuple[PersonCard, ...]


@dataclass(frozen=True, slots=True)
class StateChange:
    """A camera went into `state`; coming back up after an absence brings the gap to be recorded."""

    camera: str
    state: CameraState
    at_s: float
    reason: str
    gap: CoverageGap | None = None


# --- what is remembered --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Camera:
    camera: str
    name: str
    node_name: str
    boot_epoch: int = 0
    state: CameraState = CameraState.NEVER
    since_s: float | None = None
    reason: str = ""
    node_reports_gap: bool = False
    heard_at_s: float | None = None
    frame_at_s: float | None = None
    live_at_s: float = 0.0
    tracks: tuple[TrackKey, ...] = ()
    fps: float | None = None
    drops: tuple[tuple[str, int], ...] = ()
    last_gap: CoverageGap | None = None
    latency: Latency | None = None
    zone_names: Mapping[str, str] = field(default_factory=dict[str, str])
    line_names: Mapping[str, str] = field(default_factory=dict[str, str])
    zones_of: Mapping[TrackKey, tuple[str, ...]] = field(default_factory=dict[TrackKey, tuple[str, ...]])
    senses: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    temperature_c: float | None = None
    cpu_percent: float | None = None
    spool_items: int | None = None
    clock_offset_s: float | None = None
    clock_error_s: float | None = None
    started_after: str = ""
    slowed_by: tuple[str, ...] = ()
    _latencies_ms: deque[float] = field(default_factory=lambda: deque[float](maxlen=LATENCIES))

    def enter(self, state: CameraState, at_s: float, reason: str = "") -> StateChange | None:
        """The one place that changes the state; None where the table has no such move."""
        if state not in _MOVES[self.state]:
            return None
        gap = self._gap_until(at_s) if state is CameraState.UP else None
        to_record = None if self.node_reports_gap else gap
        self.state, self.since_s, self.reason, self.node_reports_gap = state, at_s, reason, False
        self.last_gap = gap or self.last_gap
        return StateChange(self.camera, state, at_s, reason, to_record)

    def went_silent(self, at_s: float, reason: str) -> StateChange | None:
        """Down since it was last heard, which is earlier than the moment somebody noticed."""
        return self.enter(CameraState.DOWN, self.heard_at_s if self.heard_at_s is not None else at_s, reason)

    def lost_source(self, at_s: float, reason: str) -> StateChange | None:
        """The node lives but sees nothing; it sends the gap itself once it is over."""
        change = self.enter(CameraState.DOWN, at_s, reason)
        self.node_reports_gap = self.node_reports_gap or change is not None
        return change

    def tracks_in_view(self, at_s: float) -> tuple[TrackKey, ...]:
        """Nobody, once the last live message is too old or the camera cannot see."""
        fresh = at_s - self.live_at_s <= LIVE_TRACK_S
        return self.tracks if fresh and self.state is CameraState.UP else ()

    def zones_now(self, at_s: float) -> tuple[ZoneNow, ...]:
        """Every zone that has a name or somebody in it."""
        here = Counter(zone for track in self.tracks_in_view(at_s) for zone in self.zones_of.get(track, ()))
        return tuple(
            ZoneNow(zone, self.zone_names.get(zone, zone), here[zone]) for zone in sorted({*self.zone_names, *here})
        )

    def sample(self, at_s: float) -> HealthSample:
        """How it does; what its node said does not hold any more once nothing is heard of it."""
        heard = self.heard_at_s is not None and at_s - self.heard_at_s <= SILENCE_S
        return HealthSample(
            at_s,
            (self.fps or 0.0) if self.state is CameraState.UP else 0.0,
            self.temperature_c if heard else None,
            self.cpu_percent if heard else None,
            self.latency.p50_ms if heard and self.latency is not None else None,
            self.spool_items if heard else None,
            self.state is CameraState.UP,
        )

    def took(self, latency_ms: float) -> None:
        """Add one latency; the percentiles are ready whenever somebody looks."""
        self._latencies_ms.append(max(0.0, latency_ms))
        in_order = sorted(self._latencies_ms)
        last = len(in_order) - 1
        self.latency = Latency(round(in_order[last // 2]), round(in_order[round(last * 0.95)]))

    def _gap_until(self, at_s: float) -> CoverageGap | None:
        if self.state is not CameraState.DOWN or self.since_s is None:
            return None
        return CoverageGap(self.camera, self.since_s, at_s, self.reason)


class Site:
    """Lives as long as the hub; one thread feeds and reads it."""

    def __init__(self) -> None:
        self._cameras: dict[str, _Camera] = {}
        self._cards = Cards()
        self._unique = UniqueCount(0)
        self._changes: deque[StateChange] = deque(maxlen=CHANGES)
        self.node_counters: dict[str, Mapping[str, int]] = {}
        """What each node has counted since its boot, by its own names."""
        self.passed_over = 0
        """Messages about cameras of which there are too many, and changes that nobody fetched."""

    # --- what the nodes say ----------------------------------------------------------------------------

    def node_connected(self, hello: Hello, at_s: float) -> None:
        """Learn the node's cameras; each is up once it is heard itself."""
        for info in hello.cameras:
            camera = self._camera(f"{hello.node_id}/{info.camera_id}")
            if camera is not None:
                camera.name, camera.node_name = info.name or info.camera_id, hello.node_name or hello.node_id
                camera.boot_epoch, camera.tracks = hello.boot_epoch, ()
                camera.clock_offset_s = camera.clock_error_s = None
                if camera.since_s is None:
                    camera.since_s = at_s

    def node_disconnected(self, node_id: str, at_s: float, reason: str, *, finished: bool = False) -> None:
        """Its cameras are down since they were last heard, or ended where the node said that it finished."""
        for camera in self._of_node(node_id):
            if finished:
                self._changed(camera.enter(CameraState.ENDED, at_s, reason))
            else:
                self._changed(camera.went_silent(at_s, reason))

    def live(self, node_id: str, live: Live, at_s: float) -> None:
        """Everybody in view of one camera, as of now."""
        camera = self._camera(f"{node_id}/{live.camera_id}")
        if camera is None:
            return
        camera.heard_at_s = camera.live_at_s = camera.frame_at_s = at_s
        zones_of = {TrackKey(camera.camera, camera.boot_epoch, track.track_id): track.zones for track in live.tracks}
        camera.tracks, camera.zones_of = tuple(zones_of), zones_of
        self._changed(camera.enter(CameraState.UP, at_s))
        for track in camera.tracks:
            self._cards.seen(track, at_s)

    def health(self, node_id: str, health: Health, at_s: float) -> None:
        """How the node's cameras do; one that has lost its source is down."""
        if node_id in self.node_counters or len(self.node_counters) < CAMERAS:
            self.node_counters[node_id] = health.counters
        for reported in health.cameras:
            camera = self._camera(f"{node_id}/{reported.camera_id}")
            if camera is not None:
                camera.temperature_c, camera.started_after = health.temperature_c, health.started_after
                camera.cpu_percent, camera.spool_items = health.cpu_percent, health.spool_items
                camera.slowed_by = health.slowed_by
                self._camera_health(camera, reported, at_s)

    def clock_measured(self, node_id: str, *, offset_s: float, error_s: float) -> None:
        """How far a node's clock is from the hub's; to hundredths, so that jitter is no change of the picture."""
        for camera in self._of_node(node_id):
            camera.clock_offset_s, camera.clock_error_s = round(offset_s, 2), ceil(error_s * 100) / 100

    def shapes_named(self, camera: str, *, zones: Mapping[str, str], lines: Mapping[str, str]) -> None:
        """What the zones and lines of a camera are called: id to name."""
        known = self._camera(camera)
        if known is not None:
            known.zone_names, known.line_names = dict(zones), dict(lines)

    def track_ended(self, track: TrackKey) -> None:
        """Take a track out of view without waiting for the next live message."""
        camera = self._cameras.get(track.camera)
        if camera is not None:
            camera.tracks = tuple(held for held in camera.tracks if held != track)

    def gap(self, gap: CoverageGap) -> None:
        """A gap that a node reported."""
        camera = self._cameras.get(gap.camera)
        if camera is not None and (camera.last_gap is None or camera.last_gap.to_s <= gap.to_s):
            camera.last_gap = gap

    # --- what the hub decided --------------------------------------------------------------------------

    def assigned(
        self,
        track: TrackKey,
        assignment: Assignment,
        *,
        at_s: float,
        seen_at_s: float | None = None,
        latency_s: float | None = None,
        thumbnail_id: int | None = None,
    ) -> None:
        """A track got its identity.

        `seen_at_s` is when the person was last in the picture (now, if not given), `latency_s` the time from
        the newest frame behind the observation to this moment, `thumbnail_id` the observation's database id
        where it brought a picture.
        """
        seen_at_s = at_s if seen_at_s is None else seen_at_s
        self._cards.add(assignment.identity_id, Sighting(track, seen_at_s, seen_at_s, thumbnail_id))
        camera = self._cameras.get(track.camera)
        if camera is not None and latency_s is not None:
            camera.took(latency_s * 1000.0)

    def revised(self, track: TrackKey, identity_id: str) -> None:
        """A track belongs to somebody else than was thought; a card that is left without tracks goes."""
        self._cards.move(track, identity_id)

    def forget(self, identity_id: str) -> None:
        """Remove an identity's card: it was merged away or erased."""
        self._cards.remove(identity_id)

    def counted(self, unique: UniqueCount) -> None:
        """How many different people so far."""
        self._unique = unique

    def remember_people(self, people: Iterable[KnownPerson]) -> None:
        """Fill the cards after a start, oldest first or newest first."""
        self._cards.remember(people)

    def remember_camera(self, camera: str, *, name: str, last_heard_s: float | None) -> None:
        """A camera from before this start: away since then, for all that the hub can say."""
        known = self._camera(camera)
        if known is None:
            return
        known.name, known.heard_at_s = name, last_heard_s
        if last_heard_s is not None:
            known.enter(CameraState.DOWN, last_heard_s, "the hub was away")

    # --- time and reading ------------------------------------------------------------------------------

    def tick(self, at_s: float) -> list[StateChange]:
        """Notice who fell silent; hand over every change since the last tick."""
        for camera in self._cameras.values():
            silent = camera.heard_at_s is not None and at_s - camera.heard_at_s > SILENCE_S
            if silent and camera.state is CameraState.UP:
                self._changed(camera.went_silent(at_s, "no message"))
        changes = list(self._changes)
        self._changes.clear()
        return changes

    def view(self, at_s: float, *, sees: Callable[[str], bool] | None = None) -> SiteView:
        """The whole picture at a moment; with `sees`, of the cameras (`node_id/camera_id`) that it is true of alone.

        The number of different people is then that of the people shown.
        """
        shown = {key: camera for key, camera in self._cameras.items() if sees is None or sees(key)}
        in_view = {key: camera.tracks_in_view(at_s) for key, camera in shown.items()}
        identities_by_camera = [
            Counter(self._cards.identity_of(track) or track for track in tracks) for tracks in in_view.values()
        ]
        # One person in two overlapping views is one person; two in one view are two, whatever they are called.
        people: Counter[str | TrackKey] = Counter()
        for here in identities_by_camera:
            people |= here
        cards = self._people(self._cards if sees is None else self._cards.seen_by(sees), present=people)
        return SiteView(
            people_now=people.total(),
            unique=self._unique if sees is None else UniqueCount(len(cards)),
            cameras=tuple(_camera_view(shown[key], len(in_view[key]), at_s) for key in sorted(shown)),
            people=cards,
        )

    def cameras(self) -> tuple[str, ...]:
        """Every camera that is known, as `node_id/camera_id`."""
        return tuple(sorted(self._cameras))

    def name_of(self, camera: str) -> str:
        """What a camera is called; the end of its key where it is not known."""
        held = self._cameras.get(camera)
        return held.name if held is not None else camera.rpartition("/")[2]

    def line_name(self, camera: str, line_id: str) -> str:
        """What a line is called; its id where it has no name."""
        held = self._cameras.get(camera)
        return line_id if held is None else held.line_names.get(line_id, line_id)

    def zone_name(self, camera: str, zone_id: str) -> str:
        """What a zone is called; its id where it has no name."""
        held = self._cameras.get(camera)
        return zone_id if held is None else held.zone_names.get(zone_id, zone_id)

    def lined(self, cameras: Container[str] | None = None) -> bool:
        """Whether a line is drawn on any camera, or on any of these."""
        return any(held.line_names for key, held in self._cameras.items() if cameras is None or key in cameras)

    def health_now(self, at_s: float) -> dict[str, HealthSample]:
        """How each camera does that was ever heard and did not end of itself."""
        told = {CameraState.UP, CameraState.DOWN}
        return {key: held.sample(at_s) for key, held in self._cameras.items() if held.state in told}

    def lost_sources(self) -> list[tuple[str, float, str]]:
        """The cameras whose node lives but sees nothing: camera, since when, why. Any thread may ask."""
        return [
            (key, held.since_s, held.reason)
            for key, held in list(self._cameras.items())
            if held.node_reports_gap and held.since_s is not None
        ]

    def last_heard(self) -> dict[str, float]:
        """When each camera was last heard: what the store keeps for the next start."""
        return {key: held.heard_at_s for key, held in self._cameras.items() if held.heard_at_s is not None}

    # --- parts -----------------------------------------------------------------------------------------

    def _camera(self, key: str) -> _Camera | None:
        """None once there are too many: a node must not be able to fill the memory."""
        if key not in self._cameras and len(self._cameras) < CAMERAS:
            node_id, _, camera_id = key.rpartition("/")
            self._cameras[key] = _Camera(camera=key, name=camera_id, node_name=node_id)
        self.passed_over += key not in self._cameras
        return self._cameras.get(key)

    def _of_node(self, node_id: str) -> list[_Camera]:
        return [held for key, held in self._cameras.items() if key.rpartition("/")[0] == node_id]

    def _camera_health(self, camera: _Camera, reported: CameraHealth, at_s: float) -> None:
        camera.heard_at_s = at_s
        camera.fps = round(reported.fps, 1)
        camera.senses, camera.steps = reported.senses, reported.steps
        camera.drops = tuple(sorted((name, frames) for name, frames in reported.drops.items() if frames))
        if reported.last_frame_at_s > 0:
            camera.frame_at_s = max(camera.frame_at_s or 0.0, min(reported.last_frame_at_s, at_s))
        if reported.capturing:
            self._changed(camera.enter(CameraState.UP, at_s))
        else:
            self._changed(camera.lost_source(at_s, reported.trouble or "the camera gives no picture"))

    def _changed(self, change: StateChange | None) -> None:
        if change is not None:
            self.passed_over += len(self._changes) == CHANGES
            self._changes.append(change)

    def _people(self, known: Iterable[KnownPerson], *, present: Mapping[str | TrackKey, int]) -> tuple[PersonCard, ...]:
        cards = [self._person(card, present=card.identity_id in present) for card in known]
        here = sorted((card for card in cards if card.present), key=lambda card: -card.first_seen_s)
        gone = sorted((card for card in cards if not card.present), key=lambda card: -card.last_seen_s)
        return (*here, *gone)

    def _person(self, card: KnownPerson, *, present: bool) -> PersonCard:
        return PersonCard(
            identity_id=card.identity_id,
            label=card.label or default_label(card.identity_id),
            present=present,
            last_camera=self.name_of(card.last_camera),
            cameras=tuple(self.name_of(camera) for camera in card.cameras),
            first_seen_s=floor(card.first_seen_s),
            last_seen_s=floor(card.last_seen_s),
            thumbnail_id=card.thumbnail_id,
        )


def default_label(identity_id: str) -> str:
    """What an identity is called until somebody names it: short, and the same after every start."""
    return f"Person {identity_id.rpartition('-')[2][:6].upper()}"


def _camera_view(camera: _Camera, people_now: int, at_s: float) -> CameraView:
    age_s = None if camera.frame_at_s is None else max(0, int(at_s - camera.frame_at_s))
    return CameraView(
        camera=camera.camera,
        name=camera.name,
        node_name=camera.node_name,
        state=camera.state,
        since_s=camera.since_s,
        reason=camera.reason,
        people_now=people_now,
        fps=camera.fps if camera.state is CameraState.UP else None,
        last_frame_age_s=age_s,
        latency=camera.latency,
        drops=camera.drops,
        last_gap=camera.last_gap,
        zones=camera.zones_now(at_s),
        senses=camera.senses,
        steps=camera.steps,
        temperature_c=None if camera.temperature_c is None else round(camera.temperature_c),
        clock_offset_s=camera.clock_offset_s,
        clock_error_s=camera.clock_error_s,
        started_after=camera.started_after,
        slowed_by=camera.slowed_by,
    )
