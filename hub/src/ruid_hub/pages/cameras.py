"""Cameras and the nodes that they belong to: who waits to be let in, how each does, what each is told."""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException, ServiceUnavailableException
from litestar.params import QueryParameter

from ruid_core.geometry.lines import half_turned
from ruid_core.wire.configuration import FRAME_RATES_FPS, THUMBNAIL_POLICIES
from ruid_core.wire.messages import CameraConfig, Line, Zone
from ruid_hub.access import Audit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.counting import CameraCoverage, Counting, Period, Place, UnknownPlace
from ruid_hub.health import health_over_time
from ruid_hub.identities import DriftAlarm, DriftKind
from ruid_hub.live.shapes import name_shapes
from ruid_hub.nodes import Node, NodeConfiguration, NodeRegister, NodesError, NoSuchNode, PendingNode
from ruid_hub.observations import CoverageGap, HealthSample
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import Form, Look, sees_all
from ruid_hub.pages.notices import refusal
from ruid_hub.pages.people import CORRECTING, LOOKING
from ruid_hub.pages.texts import quickly
from ruid_hub.site import CameraView, Site
from ruid_hub.store import Store
from ruid_hub.store import pages as reading

ADMINISTERING = [requires(Role.ADMIN), sees_all]
DAY_S = 86_400.0
Drifts = Callable[[], Iterable[DriftAlarm]]
GAPS_SHOWN = 20
TEXT = 80
HANGING = {"upright": False, "upside-down": True}

CameraKey = Annotated[str, QueryParameter(name="camera", max_length=300, description="node_id/camera_id")]


@dataclass(frozen=True, slots=True)
class NodeCard:
    """A node and its cameras."""

    node: Node
    cameras: tuple[CameraView, ...]


@dataclass(frozen=True, slots=True)
class CameraChange:
    """A camera does not see the world as it did: since when, what, and what somebody can do about it."""

    at_s: float
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class CamerasPage:
    """What pages/cameras.html needs; the block `pending` is asked for again and again."""

    template: ClassVar[str] = "pages/cameras.html"

    frame: Frame
    pending: tuple[PendingNode, ...]
    """Only for admins."""
    nodes: tuple[NodeCard, ...]
    strays: tuple[CameraView, ...]
    """Cameras of nodes that were never let in by hand."""
    fingerprint: str
    """The hub's own, which nodes show in their log."""
    changes: Mapping[str, tuple[CameraChange, ...]]
    """What each camera of which something changed within the last day shows differently."""
    partial: bool = False
    """For an open page: with the block `pending` comes how each node does."""


@dataclass(frozen=True, slots=True)
class Spark:
    """One measure over the last day as a line: `points` for a drawing of 100 by 30, `now` in words."""

    name: str
    now: str
    range: str
    points: str


@dataclass(frozen=True, slots=True)
class GapMark:
    """A gap on the strip of the last day, in percent of its width."""

    from_percent: float
    width_percent: float


@dataclass(frozen=True, slots=True)
class CameraPage:
    """What pages/camera.html needs."""

    template: ClassVar[str] = "pages/camera.html"

    frame: Frame
    camera: CameraView
    sparks: tuple[Spark, ...]
    gaps: tuple[CoverageGap, ...]
    """Of the last day, the newest first."""
    gap_marks: tuple[GapMark, ...]
    unheard_percent: float
    """So much of the strip, from its left, lies before the camera was first heard."""
    coverage: CameraCoverage | None
    """Of the last day, as the counts have it; None before the camera has sent anything."""
    config: CameraConfig | None
    """What the camera is told; None where its node was never let in."""
    changes: tuple[CameraChange, ...]
    """What the camera shows differently since some time of the last day."""
    applied: bool
    """The node says that it works by that."""
    shapes: str
    """Masks, zones and lines as JSON, for the drawing board."""
    policies: tuple[str, ...]
    ways: tuple[str, ...]
    frame_rates_fps: tuple[float, float]


class ZoneForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A zone as the drawing board sends it."""

    id: str
    name: str
    points: list[tuple[float, float]]


class LineForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line as the drawing board sends it: from its start to its end."""

    id: str
    name: str
    points: tuple[tuple[float, float], tuple[float, float]]


class ShapesForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is drawn on a camera, in fractions of the picture."""

    masks: list[list[tuple[float, float]]]
    zones: list[ZoneForm]
    lines: list[LineForm]


@get("/cameras", guards=LOOKING, include_in_schema=False)
async def cameras_page(
    look: Given[Look],
    site: Given[Site],
    nodes: Given[NodeRegister],
    drifts: Given[Drifts],
    clock: Given[Callable[[], float]],
) -> Response[str]:
    """Every node and camera within reach; for admins, who waits to be let in."""
    views = [view for view in site.view(clock()).cameras if look.caller.reach.covers(view.camera)]
    cards = [
        NodeCard(node, tuple(view for view in views if view.camera.rpartition("/")[0] == node.node_id))
        for node in nodes.nodes()
    ]
    shown = tuple(card for card in cards if card.cameras or look.caller.reach.covers_node(card.node.node_id))
    theirs = {view.camera for card in cards for view in card.cameras}
    is_admin = look.caller.role >= Role.ADMIN and look.caller.reach.everywhere
    page = CamerasPage(
        frame=look.frame("cameras"),
        pending=nodes.pending() if is_admin else (),
        nodes=shown,
        strays=tuple(view for view in views if view.camera not in theirs),
        fingerprint=nodes.fingerprint if is_admin else "",
        changes=changes_of(drifts(), {view.camera for view in views}, since_s=clock() - DAY_S),
        partial=look.partial,
    )
    return look.block(page, "pending") if look.partial else look.page(page)


@post("/nodes/approve", guards=ADMINISTERING, include_in_schema=False)
async def approve(data: Form, look: Given[Look], nodes: Given[NodeRegister], audit: Given[Audit]) -> Response[None]:
    """Let in the node that waits with `code`; or, with its id there, one that was revoked."""
    try:
        node = await nodes.approve(str(data.get("code", "")), actor=look.actor)
    except NodesError as error:
        return look.go("/cameras", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "node.approve", node.node_id)
    return look.go("/cameras", f"{node.name} is let in. Its cameras appear within seconds.")


@post("/nodes/reject", guards=ADMINISTERING, include_in_schema=False)
async def reject(data: Form, look: Given[Look], nodes: Given[NodeRegister], audit: Given[Audit]) -> Response[None]:
    """Turn away the node that waits with `code`."""
    try:
        await nodes.reject(str(data.get("code", "")), actor=look.actor)
    except NodesError as error:
        return look.go("/cameras", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "node.reject")
    return look.go("/cameras", "The device was turned away. It may ask again.")


@post("/nodes/rename", guards=ADMINISTERING, include_in_schema=False)
async def rename_node(data: Form, look: Given[Look], nodes: Given[NodeRegister], audit: Given[Audit]) -> Response[None]:
    """Call a node something else."""
    node_id = str(data.get("node", ""))
    try:
        node = await nodes.rename(node_id, str(data.get("name", "")).strip(), actor=look.actor)
    except NodesError as error:
        return look.go("/cameras", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "node.rename", node_id)
    return look.go("/cameras", f"The device is called {node.name} now.")


@post("/nodes/revoke", guards=ADMINISTERING, include_in_schema=False)
async def revoke(data: Form, look: Given[Look], nodes: Given[NodeRegister], audit: Given[Audit]) -> Response[None]:
    """Keep a node out from now on."""
    node_id = str(data.get("node", ""))
    try:
        node = await nodes.revoke(node_id, actor=look.actor)
    except NodesError as error:
        return look.go("/cameras", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "node.revoke", node_id)
    return look.go("/cameras", f"{node.name} is kept out from now on.")


@get("/camera", guards=LOOKING, include_in_schema=False)
async def camera_page(
    camera: CameraKey,
    look: Given[Look],
    site: Given[Site],
    nodes: Given[NodeRegister],
    counting: Given[Counting],
    drifts: Given[Drifts],
    clock: Given[Callable[[], float]],
) -> Response[str]:
    """How one camera did over the last day, and what it is told."""
    look.must_cover(camera)
    now_s = clock()
    view = next((view for view in site.view(now_s).cameras if view.camera == camera), None)
    if view is None:
        raise NotFoundException
    view = replace(view, node_name=_node_name(nodes, camera) or view.node_name)
    gaps = await asyncio.to_thread(_gaps, look.store, camera, now_s - DAY_S)
    told = _told(nodes, camera)
    config = None if told is None else told.camera(camera.rpartition("/")[2])
    samples = await health_over_time(look.store, site, camera, since_s=now_s - DAY_S, at_s=now_s)
    page = CameraPage(
        frame=look.frame("cameras"),
        camera=view,
        sparks=sparks(samples),
        gaps=tuple(gaps[:GAPS_SHOWN]),
        gap_marks=gap_marks(gaps, now_s),
        unheard_percent=unheard_percent(samples, gaps, now_s),
        coverage=await asyncio.to_thread(_coverage, counting, camera, now_s),
        config=config,
        changes=changes_of(drifts(), {camera}, since_s=now_s - DAY_S).get(camera, ()),
        applied=told is not None and (told.applied or not told.revision),
        shapes=_shapes_json(config),
        policies=THUMBNAIL_POLICIES,
        ways=tuple(HANGING),
        frame_rates_fps=FRAME_RATES_FPS,
    )
    return look.page(page)


@get("/camera/still", guards=CORRECTING, include_in_schema=False)
async def still(
    camera: CameraKey, look: Given[Look], nodes: Given[NodeRegister], audit: Given[Audit]
) -> Response[bytes]:
    """One masked picture to draw on, taken now and kept nowhere; that somebody looked is written down."""
    look.must_cover(camera)
    try:
        jpeg = await nodes.want_still(camera)
    except NoSuchNode as error:
        raise NotFoundException(str(error)) from error
    except NodesError as error:
        raise ServiceUnavailableException(str(error)) from error
    await asyncio.to_thread(audit.record, look.caller, "camera.look", camera)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@post("/camera/rules", guards=CORRECTING, include_in_schema=False)
async def save_shapes(
    data: Form, look: Given[Look], site: Given[Site], nodes: Given[NodeRegister], audit: Given[Audit]
) -> Response[None]:
    """Tell a camera its masks, zones and lines."""
    camera = str(data.get("camera", ""))
    look.must_cover(camera)
    try:
        drawn = msgspec.json.decode(str(data.get("shapes", "")), type=ShapesForm)
    except msgspec.MsgspecError:
        return look.go(address(camera), Notice("The drawing could not be read. Reload the page.", refused=True))
    return await _configure(camera, lambda config: with_shapes(config, drawn), look, site, nodes, audit)


@post("/camera/settings", guards=CORRECTING, include_in_schema=False)
async def save_settings(
    data: Form, look: Given[Look], site: Given[Site], nodes: Given[NodeRegister], audit: Given[Audit]
) -> Response[None]:
    """Tell a camera its name, pace, eagerness, picture policy and how it hangs; what is empty is left to the node."""
    camera = str(data.get("camera", ""))
    look.must_cover(camera)
    try:
        rate, confidence = _number(data.get("frame_rate_fps")), _number(data.get("detection_confidence"))
    except ValueError:
        return look.go(address(camera), Notice("Write numbers with digits and a point.", refused=True))

    def settled(config: CameraConfig) -> CameraConfig:
        return msgspec.structs.replace(
            hung(config, upside_down=HANGING.get(str(data.get("hangs", "")))),
            name=str(data.get("name", "")).strip()[:TEXT] or None,
            frame_rate_fps=rate,
            detection_confidence=None if confidence is None else confidence / 100,
            thumbnails=str(data.get("thumbnails", "")) or None,
        )

    return await _configure(camera, settled, look, site, nodes, audit)


def address(camera: str) -> str:
    """The page of a camera."""
    return f"/camera?{urlencode({'camera': camera})}"


def hung(config: CameraConfig, *, upside_down: bool | None) -> CameraConfig:
    """The same settings for a camera that hangs so; what was drawn stays on what it was drawn over."""
    set_so = msgspec.structs.replace(config, upside_down=upside_down)
    return set_so if bool(upside_down) == bool(config.upside_down) else _turned(set_so)


def _turned(config: CameraConfig) -> CameraConfig:
    return msgspec.structs.replace(
        config,
        masks_rel=tuple(half_turned(*mask) for mask in config.masks_rel),
        zones=tuple(Zone(zone.zone_id, zone.name, half_turned(*zone.points_rel)) for zone in config.zones),
        lines=tuple(Line(line.line_id, line.name, *half_turned(line.start_rel, line.end_rel)) for line in config.lines),
    )


def with_shapes(config: CameraConfig, drawn: ShapesForm) -> CameraConfig:
    """The same settings with what was drawn."""
    return msgspec.structs.replace(
        config,
        masks_rel=tuple(tuple(points) for points in drawn.masks),
        zones=tuple(Zone(zone.id, zone.name.strip(), tuple(zone.points)) for zone in drawn.zones),
        lines=tuple(Line(line.id, line.name.strip(), line.points[0], line.points[1]) for line in drawn.lines),
    )


def changes_of(
    drifts: Iterable[DriftAlarm], cameras: Container[str], *, since_s: float
) -> dict[str, tuple[CameraChange, ...]]:
    """The drifts of these cameras since a time, in words; the newest of a camera first."""
    found: dict[str, tuple[CameraChange, ...]] = {}
    for drift in sorted(drifts, key=lambda drift: -drift.at_s):
        if drift.at_s >= since_s and drift.camera in cameras:
            found[drift.camera] = (*found.get(drift.camera, ()), _in_words(drift))
    return found


def _in_words(drift: DriftAlarm) -> CameraChange:
    if drift.kind is DriftKind.RATE:
        what = f"it looks at people every {drift.now:.2g} s, before that every {drift.before:.2g} s"
        return CameraChange(drift.at_s, what, "See whether the device is too hot or has too much to do.")
    what = "people look different on it than before"
    return CameraChange(drift.at_s, what, "See whether the light changed, or somebody moved the camera.")


def gap_marks(gaps: Sequence[CoverageGap], now_s: float) -> tuple[GapMark, ...]:
    """The gaps of the last day on a strip that is as wide as the day; those that overlap are one."""
    day_from_s = now_s - DAY_S
    spans: list[tuple[float, float]] = []
    for gap in sorted(gaps, key=lambda gap: gap.from_s):
        from_s, to_s = max(gap.from_s, day_from_s), min(gap.to_s, now_s)
        if spans and from_s <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], to_s))
        elif from_s < to_s:
            spans.append((from_s, to_s))
    return tuple(
        GapMark(round(100 * (from_s - day_from_s) / DAY_S, 3), round(100 * (to_s - from_s) / DAY_S, 3))
        for from_s, to_s in spans
    )


def unheard_percent(samples: Sequence[HealthSample], gaps: Sequence[CoverageGap], now_s: float) -> float:
    """How much of the last day lies before the first thing that is known of a camera."""
    known_s = [*(sample.at_s for sample in samples[:1]), *(gap.from_s for gap in gaps)]
    from_s = min(known_s, default=now_s)
    return round(100 * max(0.0, 1 - (now_s - from_s) / DAY_S), 3)


def sparks(samples: Sequence[HealthSample]) -> tuple[Spark, ...]:
    """Pace, temperature, time to identity, processor and spool of the last day, as far as the node says."""
    measures: tuple[tuple[str, str, Callable[[HealthSample], float | None]], ...] = (
        ("Pictures a second", "", lambda sample: round(sample.fps, 1)),
        ("Temperature", "°C", lambda sample: None if sample.temperature_c is None else round(sample.temperature_c)),
        ("Recognised within", "ms", lambda sample: sample.latency_p50_ms),
        ("Processor", "%", lambda sample: None if sample.cpu_percent is None else round(sample.cpu_percent)),
        ("Reports waiting to be sent", "", lambda sample: sample.spool_items),
    )
    made = (_spark(name, unit, samples, measure) for name, unit, measure in measures)
    return tuple(spark for spark in made if spark is not None)


def _spark(
    name: str, unit: str, samples: Sequence[HealthSample], measure: Callable[[HealthSample], float | None]
) -> Spark | None:
    seen = [(sample.at_s, value) for sample in samples if (value := measure(sample)) is not None]
    if not seen:
        return None
    low, high = min(value for _, value in seen), max(value for _, value in seen)
    from_s, width_s = seen[0][0], max(seen[-1][0] - seen[0][0], 1.0)
    points = (
        f"{100 * (at_s - from_s) / width_s:.1f},{28 - 26 * (value - low) / (high - low or 1):.1f}"
        for at_s, value in seen
    )
    drawn = " ".join(points) if len(seen) > 1 else "0,15 100,15"
    if unit == "ms":
        return Spark(name, quickly(seen[-1][1]), f"between {quickly(low)} and {quickly(high)}", drawn)
    return Spark(name, f"{seen[-1][1]:g} {unit}".strip(), f"between {low:g} and {high:g} {unit}".strip(), drawn)


async def _configure(
    camera: str,
    change: Callable[[CameraConfig], CameraConfig],
    look: Look,
    site: Site,
    nodes: NodeRegister,
    audit: Audit,
) -> Response[None]:
    try:
        now = nodes.configuration(camera.rpartition("/")[0]).camera(camera.rpartition("/")[2])
        told = await nodes.configure(camera, change(now), actor=look.actor)
    except NodesError as error:
        return look.go(address(camera), refusal(error))
    name_shapes(site, nodes)
    await asyncio.to_thread(audit.record, look.caller, "camera.rules", camera)
    return look.go(address(camera), _became(told))


def _became(told: NodeConfiguration) -> Notice:
    answer = told.answer
    if told.applied:
        return Notice("Saved. The camera works by it now.")
    if answer is not None and answer.revision == told.revision:
        return Notice(f"The camera refused it: {answer.field} {answer.reason}. It goes on as before.", refused=True)
    return Notice("Saved. The camera gets it as soon as it is there again.")


def _told(nodes: NodeRegister, camera: str) -> NodeConfiguration | None:
    try:
        return nodes.configuration(camera.rpartition("/")[0])
    except NoSuchNode:
        return None


def _node_name(nodes: NodeRegister, camera: str) -> str:
    """As it is called today, also before it has said a word since the hub's start."""
    try:
        return nodes.node(camera.rpartition("/")[0]).name
    except NoSuchNode:
        return ""


def _shapes_json(config: CameraConfig | None) -> str:
    if config is None:
        return ""
    drawn = ShapesForm(
        masks=[list(points) for points in config.masks_rel],
        zones=[ZoneForm(zone.zone_id, zone.name, list(zone.points_rel)) for zone in config.zones],
        lines=[LineForm(line.line_id, line.name, (line.start_rel, line.end_rel)) for line in config.lines],
    )
    return msgspec.json.encode(drawn).decode()


def _gaps(store: Store, camera: str, since_s: float) -> list[CoverageGap]:
    with store.reading() as connection:
        return reading.gaps_since(connection, since_s, camera=camera)


def _coverage(counting: Counting, camera: str, now_s: float) -> CameraCoverage | None:
    try:
        coverage = counting.coverage(Period(now_s - DAY_S, now_s), Place(camera=camera))
    except UnknownPlace:
        return None
    return coverage.cameras[0]


def _number(text: Any) -> float | None:
    text = str(text or "").strip().replace(",", ".")
    return float(text) if text else None
