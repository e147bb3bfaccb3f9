"""The live picture as a stream of events for programs: who is where, how many, and which cameras see."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
from litestar import WebSocket, get, websocket
from litestar.exceptions import ServiceUnavailableException, WebSocketDisconnect
from litestar.response import Stream

from ruid_hub.access import Access, Audit, Caller, Permit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import requires
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.site import CameraView, PersonCard, Site, SiteView

PACE_S = 0.25
PULSE_S = 15.0
LONGEST_S = 3600.0
"""Then a program has to come again, and to show that it still may."""
MOST_STREAMS = 50
TOO_MANY = 1013

Event = dict[str, Any]


@dataclass(slots=True)
class Differences:
    """What a program has been told; `events` says what is new. Events are `counts`, `camera`, `person`, `gone`."""

    counts: Event | None = None
    cameras: dict[str, CameraView] = field(default_factory=dict[str, CameraView])
    people: dict[str, PersonCard] = field(default_factory=dict[str, PersonCard])

    def events(self, view: SiteView, at_s: float) -> Iterator[Event]:
        """Everything the first time, and afterwards what has changed."""
        counts = {"people_now": view.people_now, "unique": asdict(view.unique)}
        if counts != self.counts:
            self.counts = counts
            yield {"kind": "counts", "at_s": at_s, **counts}
        cameras = {camera.camera: camera for camera in view.cameras}
        for key, camera in cameras.items():
            if _steady(camera) != _steady(self.cameras.get(key)):
                yield {"kind": "camera", "at_s": at_s, **asdict(camera)}
        self.cameras = cameras
        people = {person.identity_id: person for person in view.people}
        for key, person in people.items():
            if person != self.people.get(key):
                yield {"kind": "person", "at_s": at_s, **asdict(person)}
        for key in self.people.keys() - people.keys():
            yield {"kind": "gone", "at_s": at_s, "identity_id": key}
        self.people = people


class EventStreams:
    """One per hub: counts the open streams, and ends them when somebody loses rights."""

    def __init__(self, *, site: Site, access: Access, notifier: ChangeNotifier, clock: Callable[[], float]) -> None:
        self.open = 0
        self._site = site
        self._access = access
        self._notifier = notifier
        self._clock = clock

    @property
    def full(self) -> bool:
        """True while there are as many as are allowed."""
        return self.open >= MOST_STREAMS

    async def events(self, caller: Caller) -> AsyncGenerator[list[Event]]:
        """What happens within the caller's reach; an empty list now and then says that the hub lives."""
        self.open += 1
        era, told, since_s = self._access.era, Differences(), 0.0
        sees = None if caller.reach.everywhere else caller.reach.covers
        try:
            for _ in range(round(LONGEST_S / PACE_S)):
                if self._notifier.closed or era != self._access.era:
                    return
                at_s = self._clock()
                fresh = list(told.events(self._site.view(at_s, sees=sees), at_s))
                since_s = 0.0 if fresh else since_s + PACE_S
                if fresh or since_s >= PULSE_S:
                    since_s = 0.0
                    yield fresh
                await asyncio.sleep(PACE_S)
        finally:
            self.open -= 1


@get("/api/v1/events", guards=[requires(Role.VIEWER, Permit.PEOPLE_READ)], tags=["live"])
async def event_stream(streams: Given[EventStreams], caller: Given[Caller], audit: Given[Audit]) -> Stream:
    """Server-sent events: `counts`, `camera`, `person` and `gone`, each with JSON; a comment now and then."""
    if streams.full:
        raise ServiceUnavailableException("Too many programs follow this hub already.")
    await asyncio.to_thread(audit.record, caller, "people.stream")

    async def text() -> AsyncGenerator[bytes]:
        async for fresh in streams.events(caller):
            yield b"".join(_server_sent(event) for event in fresh) or b": pulse\n\n"

    return Stream(
        text(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


@websocket("/api/v1/events/socket", guards=[requires(Role.VIEWER, Permit.PEOPLE_READ)])
async def event_socket(
    socket: WebSocket[Any, Any, Any], streams: Given[EventStreams], caller: Given[Caller], audit: Given[Audit]
) -> None:
    """The same events over a websocket, one JSON document a message; what a program sends is ignored."""
    await socket.accept()
    if streams.full:
        await socket.close(code=TOO_MANY, reason="too many programs follow this hub already")
        return
    await asyncio.to_thread(audit.record, caller, "people.stream")
    listening = asyncio.create_task(_until_gone(socket))
    try:
        async for fresh in streams.events(caller):
            for event in fresh or [{"kind": "pulse"}]:
                await socket.send_text(msgspec.json.encode(event).decode())
            if listening.done():
                return
        await socket.close()
    except WebSocketDisconnect:
        return
    finally:
        listening.cancel()


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    try:
        while True:
            await socket.receive_text()
    except Exception:
        return


def _server_sent(event: Event) -> bytes:
    return b"event: " + event["kind"].encode() + b"\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _steady(camera: CameraView | None) -> tuple[Any, ...] | None:
    """What makes a camera worth an event: not its age, which changes every second."""
    if camera is None:
        return None
    return (camera.state, camera.name, camera.reason, camera.people_now, camera.zones, camera.senses, camera.last_gap)
