"""Looking after the hub itself: the backup, how long things are kept, and what to send to somebody who helps."""

import asyncio
import platform
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from litestar import Controller, Request, Response, get, put
from litestar.exceptions import ServiceUnavailableException
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream

from ruid_hub import __version__
from ruid_hub.access import Audit, Caller, Permit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere, requires
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.site import CameraView, Site
from ruid_hub.store import Retention, Store

ADMIN = [requires(Role.ADMIN, Permit.ADMIN)]
CHUNK_BYTES = 256 * 1024

Backup = Callable[[bool], Path]


@dataclass(frozen=True, slots=True)
class SupportBundle:
    """How the hub does, without anybody's name, picture or identity, and without secrets."""

    version: str
    python: str
    machine: str
    at_s: float
    not_ready: tuple[str, ...]
    store: dict[str, Any]
    cameras: tuple[CameraView, ...]
    metrics: list[str]


class UpkeepController(Controller):
    """For admins who see every camera."""

    path = "/api/v1"
    tags = ("upkeep",)

    @get(
        "/backup",
        guards=ADMIN,
        responses={200: ResponseSpec(bytes, media_type="application/x-tar", description="The whole hub")},
    )
    async def backup(
        self,
        backup: Given[Backup | None],
        caller: Given[Caller],
        audit: Given[Audit],
        biometrics: Annotated[bool, QueryParameter(description="With embeddings and pictures")] = True,  # noqa: FBT002
    ) -> Stream:
        """Everything in one file, made while the hub runs; it holds the hub's keys, so keep it safe."""
        everywhere(caller)
        if backup is None:
            raise ServiceUnavailableException("This hub makes no backups.")
        await asyncio.to_thread(audit.record, caller, "hub.backup", "", {"biometrics": biometrics})
        archive = await asyncio.to_thread(backup, biometrics)
        headers = {
            "Content-Disposition": 'attachment; filename="ruid-hub.tar"',
            "Content-Length": str(archive.stat().st_size),
            "Cache-Control": "no-store",
        }
        return Stream(_chunks(archive), media_type="application/x-tar", headers=headers)

    @get("/retention", guards=ADMIN)
    async def retention(self, store: Given[Store]) -> Retention:
        """How long each kind is kept, in seconds, and how much room the database may take."""
        return await asyncio.to_thread(lambda: store.retention)

    @put("/retention", guards=ADMIN)
    async def set_retention(
        self,
        data: JSONBody[Retention],
        request: Request[Any, Any, Any],
        store: Given[Store],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> Retention:
        """Hold to it from the next sweep on, within minutes; what is left out is as a new hub has it."""
        everywhere(caller)
        await asyncio.to_thread(store.set_retention, data)
        # Pages say how long pictures stay.
        request.app.state.templates.pictures_kept_s = data.thumbnails_s
        await asyncio.to_thread(audit.record, caller, "settings.retention")
        return data

    @get("/support", guards=ADMIN)
    async def support(
        self,
        site: Given[Site],
        store: Given[Store],
        metrics: Given[HubMetrics],
        caller: Given[Caller],
        audit: Given[Audit],
        clock: Given[Callable[[], float]],
        not_ready: Given[Callable[[], tuple[str, ...]]],
    ) -> Response[SupportBundle]:
        """How the hub does, to send to somebody who helps: nothing in it is about a person."""
        everywhere(caller)
        await asyncio.to_thread(audit.record, caller, "hub.support")
        lines = metrics.exposition().decode().splitlines()
        bundle = SupportBundle(
            version=__version__,
            python=platform.python_version(),
            machine=f"{platform.system()} {platform.machine()}",
            at_s=clock(),
            not_ready=not_ready(),
            store=asdict(await asyncio.to_thread(store.counts)),
            cameras=site.view(clock()).cameras,
            metrics=[line for line in lines if not line.startswith("#")],
        )
        return Response(bundle, headers={"Content-Disposition": 'attachment; filename="ruid-support.json"'})


async def _chunks(archive: Path) -> AsyncGenerator[bytes]:
    """The file's content; the file goes afterwards, also where nobody reads to the end."""
    try:
        with archive.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
    finally:
        archive.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing may be awaited when nobody reads on
