"""Cameras and the nodes that they belong to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from litestar import Controller, Response, get, patch, post, put
from litestar.exceptions import NotFoundException
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody, PathParameter

from ruid_core.wire.messages import CameraConfig, Line, Zone
from ruid_hub.access import Audit, Caller, Permit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.health import health_over_time
from ruid_hub.nodes import ConfigurationAnswer, Node, NodeConfiguration, NodeRegister, PendingNode
from ruid_hub.observations import CoverageGap, HealthSample
from ruid_hub.site import CameraView, Site
from ruid_hub.store import Store, pages

READING = [requires(Role.VIEWER, Permit.SITE_READ)]
WRITING = [requires(Role.OPERATOR, Permit.SITE_WRITE)]
ADMITTING = [requires(Role.ADMIN, Permit.ADMIN)]
DAY_S = 86_400.0

NodeId = Annotated[str, PathParameter(max_length=100)]
CameraId = Annotated[str, PathParameter(max_length=100)]
Code = Annotated[str, PathParameter(max_length=100, description="The code of a waiting node")]
PointRel = tuple[float, float]
"""x and y as shares (0..1) of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class CameraDetail:
    """A camera, how it did over the last day, and what it did not see."""

    now: CameraView
    health: tuple[HealthSample, ...]
    gaps: list[CoverageGap]


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """A polygon of at least three points on the floor of the picture."""

    zone_id: str
    name: str
    points_rel: list[PointRel]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Who crosses from the line's left to its right, seen from start to end, goes in."""

    line_id: str
    name: str
    start_rel: PointRel
    end_rel: PointRel


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """What the hub sets on a camera; None leaves the node's own setting. `thumbnails` is off, blurred or on.

    Coordinates are those of the picture as it is shown: turned by half a turn where the camera hangs `upside_down`.
    """

    name: str | None = None
    frame_rate_fps: float | None = None
    detection_confidence: float | None = None
    thumbnails: str | None = None
    masks_rel: tuple[tuple[PointRel, ...], ...] = ()
    zones: tuple[ZoneSettings, ...] = ()
    lines: tuple[LineSettings, ...] = ()
    upside_down: bool | None = None

    @classmethod
    def of(cls, config: CameraConfig) -> "CameraSettings":
        """From what goes over the wire."""
        return cls(
            config.name,
            config.frame_rate_fps,
            config.detection_confidence,
            config.thumbnails,
            tuple(tuple((x, y) for x, y in mask) for mask in config.masks_rel),
            tuple(ZoneSettings(zone.zone_id, zone.name, list(zone.points_rel)) for zone in config.zones),
            tuple(LineSettings(line.line_id, line.name, line.start_rel, line.end_rel) for line in config.lines),
            config.upside_down,
        )

    def config(self, camera_id: str) -> CameraConfig:
        """As it goes over the wire."""
        return CameraConfig(
            camera_id,
            self.name,
            self.frame_rate_fps,
            self.detection_confidence,
            self.thumbnails,
            self.masks_rel,
            tuple(Zone(zone.zone_id, zone.name, tuple(zone.points_rel)) for zone in self.zones),
            tuple(Line(line.line_id, line.name, line.start_rel, line.end_rel) for line in self.lines),
            self.upside_down,
        )


@dataclass(frozen=True, slots=True)
class CameraConfiguration:
    """What a camera is told, and what its node said to it; revision 0 means nothing yet."""

    settings: CameraSettings
    revision: int
    applied: bool
    changed_at_s: float
    changed_by: str
    answer: ConfigurationAnswer | None

    @classmethod
    def of(cls, node: NodeConfiguration, camera_id: str) -> "CameraConfiguration":
        """One camera's part of a node's configuration."""
        settings = CameraSettings.of(node.camera(camera_id))
        return cls(settings, node.revision, node.applied, node.changed_at_s, node.changed_by, node.answer)


@dataclass(frozen=True, slots=True)
class NodeName:
    """What people call a node."""

    name: str


class CamerasController(Controller):
    """Cameras within the caller's reach."""

    path = "/api/v1/cameras"
    tags = ("cameras",)

    @get("/", guards=READING, sync_to_thread=False)
    def cameras(
        self, site: Given[Site], caller: Given[Caller], clock: Given[Callable[[], float]]
    ) -> tuple[CameraView, ...]:
        """Every camera with its health."""
        return site.view(clock(), sees=caller.reach.covers).cameras

    @get("/{node_id:str}/{camera_id:str}", guards=READING)
    async def camera(
        self,
        node_id: NodeId,
        camera_id: CameraId,
        site: Given[Site],
        store: Given[Store],
        clock: Given[Callable[[], float]],
    ) -> CameraDetail:
        """One camera: now, over the last day, and its gaps of the last week."""
        key, at_s = f"{node_id}/{camera_id}", clock()
        views = site.view(at_s, sees=lambda camera: camera == key).cameras
        if not views:
            raise NotFoundException("There is no such camera.")

        def gaps() -> list[CoverageGap]:
            with store.reading() as connection:
                return pages.gaps_since(connection, at_s - 7 * DAY_S, camera=key)

        health = await health_over_time(store, site, key, since_s=at_s - DAY_S, at_s=at_s)
        return CameraDetail(views[0], health, await asyncio.to_thread(gaps))

    @get("/{node_id:str}/{camera_id:str}/settings", guards=WRITING, sync_to_thread=False)
    def settings(self, node_id: NodeId, camera_id: CameraId, nodes: Given[NodeRegister]) -> CameraConfiguration:
        """Zones, lines, masks and what else a camera is told."""
        return CameraConfiguration.of(nodes.configuration(node_id), camera_id)

    @put("/{node_id:str}/{camera_id:str}/settings", guards=WRITING)
    async def configure(
        self,
        node_id: NodeId,
        camera_id: CameraId,
        data: JSONBody[CameraSettings],
        nodes: Given[NodeRegister],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> CameraConfiguration:
        """Change them; the node's answer is in the result if it came within seconds."""
        camera = f"{node_id}/{camera_id}"
        told = await nodes.configure(camera, data.config(camera_id), actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "camera.rules", camera, {"revision": told.revision})
        return CameraConfiguration.of(told, camera_id)

    @post(
        "/{node_id:str}/{camera_id:str}/still",
        guards=WRITING,
        status_code=200,
        responses={200: ResponseSpec(bytes, media_type="image/jpeg", description="The picture, its masks applied")},
    )
    async def still(
        self,
        node_id: NodeId,
        camera_id: CameraId,
        nodes: Given[NodeRegister],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Response[bytes]:
        """One picture, taken now, to draw on. It may show people, so it is in the audit."""
        jpeg = await nodes.want_still(f"{node_id}/{camera_id}")
        await asyncio.to_thread(audit.record, caller, "camera.still", f"{node_id}/{camera_id}")
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


class NodesController(Controller):
    """Who waits to be let in, and who is in."""

    path = "/api/v1/nodes"
    tags = ("nodes",)

    @get("/", guards=ADMITTING, sync_to_thread=False)
    def nodes(self, nodes: Given[NodeRegister], caller: Given[Caller]) -> list[Node]:
        """Every node that was approved once."""
        return [node for node in nodes.nodes() if caller.reach.covers_node(node.node_id)]

    @get("/pending", guards=ADMITTING, sync_to_thread=False)
    def pending(self, nodes: Given[NodeRegister], caller: Given[Caller]) -> list[PendingNode]:
        """Who asks to be let in."""
        return list(nodes.pending()) if caller.reach.everywhere else []

    @post("/pending/{code:str}/approve", guards=ADMITTING, status_code=200)
    async def approve(self, code: Code, nodes: Given[NodeRegister], caller: Given[Caller], audit: Given[Audit]) -> Node:
        """Let in who waits with this code, or a revoked node by its id."""
        node = await nodes.approve(code, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "node.approve", node.node_id)
        return node

    @post("/pending/{code:str}/reject", guards=ADMITTING, status_code=204)
    async def reject(self, code: Code, nodes: Given[NodeRegister], caller: Given[Caller], audit: Given[Audit]) -> None:
        """Turn away who waits with this code."""
        await nodes.reject(code, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "node.reject", code)

    @get("/{node_id:str}", guards=ADMITTING, sync_to_thread=False)
    def node(self, node_id: NodeId, nodes: Given[NodeRegister]) -> Node:
        """One node."""
        return nodes.node(node_id)

    @patch("/{node_id:str}", guards=ADMITTING)
    async def rename(
        self,
        node_id: NodeId,
        data: JSONBody[NodeName],
        nodes: Given[NodeRegister],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Node:
        """Call it something else."""
        node = await nodes.rename(node_id, data.name, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "node.rename", node_id)
        return node

    @post("/{node_id:str}/revoke", guards=ADMITTING, status_code=200)
    async def revoke(
        self, node_id: NodeId, nodes: Given[NodeRegister], caller: Given[Caller], audit: Given[Audit]
    ) -> Node:
        """Keep it out from this moment on."""
        node = await nodes.revoke(node_id, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "node.revoke", node_id)
        return node

    @post("/{node_id:str}/replace/{code:str}", guards=ADMITTING, status_code=200)
    async def replace(
        self,
        node_id: NodeId,
        code: Code,
        nodes: Given[NodeRegister],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Node:
        """Let who waits with this code take the node's place."""
        node = await nodes.replace(node_id, code, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "node.replace", node_id)
        return node
