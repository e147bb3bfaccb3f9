"""What each node is told about its cameras, and what it says to that; and the pictures that people ask for."""

import asyncio
import contextlib
from dataclasses import replace
from typing import Protocol

import msgspec

from ruid_core.wire.configuration import check_configuration
from ruid_core.wire.errors import InvalidConfiguration
from ruid_core.wire.messages import CameraConfig, Configure, Configured, Examine, Hello, Still, StillWanted
from ruid_hub.nodes.errors import BadConfiguration, NodeAway, NodeTooOld, StillUnavailable
from ruid_hub.nodes.values import ConfigurationAnswer, NodeConfiguration
from ruid_hub.store import Store, links

STILL_WITHIN_S = 10.0
ANSWER_WITHIN_S = 3.0
_CAMERAS = msgspec.msgpack.Decoder(tuple[CameraConfig, ...])


class Links(Protocol):
    """The connections to nodes, as the ingest server holds them."""

    def connected(self, node_id: str) -> bool:
        """Whether the node is there now."""
        ...

    def ask(self, node_id: str, message: Configure | StillWanted | Examine) -> bool:
        """Send to a connected node; False where its software cannot understand it."""
        ...

    def introduce_again(self, node_id: str) -> None:
        """Names have changed: report the node anew."""
        ...

    async def cut(self, node_id: str, *, code: str, text: str) -> None:
        """End the node's connection, if there is one, and tell it why."""
        ...


class Configurations:
    """Lives in the event loop; the store keeps what nodes are told, pictures are handed on and not kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.reading() as connection:
            rows = links.all_configurations(connection)
        self._by_node = {row.node_id: _from_row(row) for row in rows}
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._stills: dict[str, asyncio.Future[Still]] = {}

    def of(self, node_id: str) -> NodeConfiguration:
        """What the node is told; revision 0 where that is nothing yet."""
        return self._by_node.get(node_id) or NodeConfiguration(node_id, 0, (), 0.0, "", None)

    async def set(
        self, node_id: str, config: CameraConfig, *, known: frozenset[str], actor: str, at_s: float
    ) -> NodeConfiguration:
        """Keep a camera's settings as the node's next revision; raise `BadConfiguration`."""
        former = self.of(node_id)
        others = tuple(camera for camera in former.cameras if camera.camera_id != config.camera_id)
        cameras = tuple(sorted((*others, config), key=lambda camera: camera.camera_id))
        known = known | {camera.camera_id for camera in others}
        try:
            check_configuration(cameras, known=known)
        except InvalidConfiguration as error:
            raise BadConfiguration(error.field, error.reason) from error
        changed = NodeConfiguration(node_id, former.revision + 1, cameras, at_s, actor, former.answer)
        await self._keep(changed)
        return changed

    def send(self, node_id: str, connections: Links) -> None:
        """Tell a connected node what is kept for it, if that is anything."""
        configuration = self.of(node_id)
        if configuration.revision:
            connections.ask(node_id, Configure(configuration.revision, configuration.cameras))

    def needed(self, hello: Hello) -> bool:
        """Whether a node that has just come has to be told; not what it has already refused."""
        configuration = self.of(hello.node_id)
        answer = configuration.answer
        refused = answer is not None and answer.revision == configuration.revision and not answer.accepted
        return configuration.revision != hello.config_revision and not refused

    async def answered(self, node_id: str, configured: Configured, *, at_s: float) -> bool:
        """Keep what the node says; False, and nothing kept, for a revision that never was."""
        configuration = self.of(node_id)
        if not 0 < configured.revision <= configuration.revision:
            return False
        answer = ConfigurationAnswer(
            configured.revision, configured.accepted, configured.field, configured.reason, at_s
        )
        await self._keep(replace(configuration, answer=answer))
        waiting = self._answers.pop(node_id, None)
        if waiting is not None and configured.revision == configuration.revision and not waiting.done():
            waiting.set_result(None)
        return True

    async def wait_for_answer(self, node_id: str) -> NodeConfiguration:
        """Give the node a moment to answer; return what is known then."""
        waiting = self._answers.setdefault(node_id, asyncio.get_running_loop().create_future())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), ANSWER_WITHIN_S)
        return self.of(node_id)

    async def still(self, node_id: str, camera_id: str, connections: Links) -> bytes:
        """Get one picture (JPEG) from the node; whoever asks meanwhile gets the same one."""
        if not connections.connected(node_id):
            raise NodeAway(node_id)
        camera = f"{node_id}/{camera_id}"
        if camera not in self._stills:
            self._stills[camera] = asyncio.get_running_loop().create_future()
            if not connections.ask(node_id, StillWanted(camera_id)):
                del self._stills[camera]
                raise NodeTooOld(node_id)
        coming = self._stills[camera]
        try:
            still = await asyncio.wait_for(asyncio.shield(coming), STILL_WITHIN_S)
        except TimeoutError:
            self._stills.pop(camera, None)
            raise StillUnavailable("the node gave no picture in time") from None
        if not still.jpeg:
            raise StillUnavailable(still.reason)
        return still.jpeg

    def still_came(self, node_id: str, still: Still) -> bool:
        """Hand a picture to whoever asked; False where nobody did."""
        coming = self._stills.pop(f"{node_id}/{still.camera_id}", None)
        if coming is None or coming.done():
            return False
        coming.set_result(still)
        return True

    async def _keep(self, configuration: NodeConfiguration) -> None:
        self._by_node[configuration.node_id] = configuration
        await asyncio.to_thread(self._write, _to_row(configuration))

    def _write(self, row: links.ConfigurationRow) -> None:
        with self._store.writing() as connection:
            links.write_configuration(connection, row)


def _from_row(row: links.ConfigurationRow) -> NodeConfiguration:
    answer = None
    if row.answered_revision is not None:
        answer = ConfigurationAnswer(
            row.answered_revision,
            bool(row.accepted),
            row.refused_field or "",
            row.refused_reason or "",
            row.answered_at_s or 0.0,
        )
    cameras = _CAMERAS.decode(row.cameras)
    return NodeConfiguration(row.node_id, row.revision, cameras, row.changed_at_s, row.changed_by, answer)


def _to_row(configuration: NodeConfiguration) -> links.ConfigurationRow:
    answer = configuration.answer
    return links.ConfigurationRow(
        node_id=configuration.node_id,
        revision=configuration.revision,
        cameras=msgspec.msgpack.encode(configuration.cameras),
        changed_at_s=configuration.changed_at_s,
        changed_by=configuration.changed_by,
        answered_revision=answer.revision if answer else None,
        accepted=answer.accepted if answer else None,
        refused_field=answer.field if answer else None,
        refused_reason=answer.reason if answer else None,
        answered_at_s=answer.at_s if answer else None,
    )
