"""The hub's list of nodes: lets them in, names them, keeps them out, tells them how their cameras are set.

Lives in the event loop. Everything about approved nodes is in memory and in the store; what strangers ask is in
memory alone and bounded. Methods that change something are coroutines: on return the change survives a power cut.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ruid_core.wire.adoption import MAX_NAME_CHARS, Adopted, AdoptionRequest, NotAdopted, adoption_code, adoption_proof
from ruid_core.wire.messages import CameraConfig, Configured, Examined, Hello, Still
from ruid_core.wire.uplink import ItemKey
from ruid_hub.authority import Authority, key_fingerprint
from ruid_hub.authority.certificates import RequestRefused, key_bytes, read_request
from ruid_hub.nodes.configurations import Configurations, Links
from ruid_hub.nodes.errors import BadConfiguration, NobodyLooked, NodeAway, NoSuchNode, NotAdmitted, TooManyNodes
from ruid_hub.nodes.pictures import PersonInPicture, Pictures
from ruid_hub.nodes.values import Node, NodeConfiguration, PendingNode
from ruid_hub.nodes.waiting import Asking, WaitingRoom
from ruid_hub.store import Store, links
from ruid_hub.store.links import Admission

MAX_NODES = 1000
REVOKED = "revoked"
JOINED = "the shared file"
_REVOKED_TEXT = "somebody at the hub has revoked this node: it comes back once it is approved there again"

_log = structlog.get_logger("nodes")


@dataclass(frozen=True, slots=True)
class _Presence:
    """What a node said when it last came."""

    hello: Hello | None = None
    address: str = ""
    at_s: float | None = None


class NodeRegister:
    """One per hub. `actor` names who does something, for the log; `node_id` and codes come from people."""

    def __init__(
        self,
        *,
        store: Store,
        authority: Authority,
        resume_point: Callable[[str], ItemKey],
        clock: Callable[[], float],
        join_secret: bytes = b"",
        let_in_by_hand: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._authority = authority
        self._resume_point = resume_point
        self._clock = clock
        self._join_secret = join_secret
        self._let_in_by_hand = let_in_by_hand
        with store.reading() as connection:
            admissions = links.all_admissions(connection)
        self._admissions = {admission.node_id: admission for admission in admissions}
        self._by_key = {admission.key_fingerprint: admission.node_id for admission in admissions}
        self._presence: dict[str, _Presence] = {}
        self._waiting = WaitingRoom()
        self._configurations = Configurations(store)
        self._pictures = Pictures()
        self._links: Links | None = None

    def attach(self, connections: Links) -> None:
        """Say who holds the connections; once, before anybody connects."""
        self._links = connections

    # --- for people ------------------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """The hub authority's fingerprint, which nodes pin and show in their log."""
        return self._authority.fingerprint

    def pending(self) -> tuple[PendingNode, ...]:
        """Who asks to be let in, the longest waiting first."""
        return tuple(self._pending(asking) for asking in self._waiting.waiting(now_s=self._clock()))

    def nodes(self) -> tuple[Node, ...]:
        """Every node that was approved once, by name."""
        return tuple(sorted((self._node(held) for held in self._admissions.values()), key=lambda node: node.name))

    def node(self, node_id: str) -> Node:
        """One of them; raise `NoSuchNode`."""
        return self._node(self._admission(node_id))

    async def approve(self, code: str, *, actor: str) -> Node:
        """Let in who waits with this code; or, given a revoked node's id, let that node in again.

        Raises `NoSuchRequest` or `TooManyNodes`.
        """
        if code in self._admissions:
            return await self._change(replace(self._admissions[code], revoked=False), actor, "node approved again")
        asking = self._waiting.find(code, now_s=self._clock())
        node_id = asking.request.node_id
        if node_id not in self._admissions and len(self._admissions) >= MAX_NODES:
            raise TooManyNodes(MAX_NODES)
        return await self._let_in(asking, node_id, actor)

    async def reject(self, code: str, *, actor: str) -> None:
        """Turn away who waits with this code; it may ask again later. Raises `NoSuchRequest`."""
        asking = self._waiting.find(code, now_s=self._clock())
        self._waiting.leave(asking)
        if not asking.answer.done():
            asking.answer.set_result(
                NotAdopted("rejected", "somebody at the hub has turned this device away: switch it off")
            )
        _log.info("device turned away", name=asking.request.node_name, code=asking.code, by=actor)

    async def rename(self, node_id: str, name: str, *, actor: str) -> Node:
        """Call a node something else, from its next connection on at the latest; raise `NoSuchNode`."""
        if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
            raise BadConfiguration("name", f"must have 1 to {MAX_NAME_CHARS} printable characters")
        node = await self._change(replace(self._admission(node_id), name=name), actor, "node renamed")
        self._introduce_again(node_id)
        return node

    async def revoke(self, node_id: str, *, actor: str) -> Node:
        """Keep a node out from this moment on, until it is approved again by id; raise `NoSuchNode`."""
        node = await self._change(replace(self._admission(node_id), revoked=True), actor, "node revoked")
        if self._links is not None:
            await self._links.cut(node_id, code=REVOKED, text=_REVOKED_TEXT)
        return replace(node, connected=False)

    async def replace(self, node_id: str, code: str, *, actor: str) -> Node:
        """Let who waits with this code take a node's place: its id, name, cameras and configuration.

        The device that had the place before is out. Raises `NoSuchNode` or `NoSuchRequest`.
        """
        self._admission(node_id)
        asking = self._waiting.find(code, now_s=self._clock())
        if self._links is not None:
            await self._links.cut(node_id, code="replaced", text="another device has taken this node's place")
        return await self._let_in(asking, node_id, actor)

    def configuration(self, node_id: str) -> NodeConfiguration:
        """What a node is told, and what it said to that; raise `NoSuchNode`."""
        self._admission(node_id)
        return self._configurations.of(node_id)

    async def configure(self, camera: str, config: CameraConfig, *, actor: str) -> NodeConfiguration:
        """Set a camera (`node_id/camera_id`); the node's answer is in the result if it came within seconds.

        The settings are kept and sent whenever the node is there. Raises `NoSuchNode` or `BadConfiguration`.
        """
        node_id, _, camera_id = camera.rpartition("/")
        self._admission(node_id)
        config = msgspec.structs.replace(config, camera_id=camera_id)
        known = frozenset(self._cameras(node_id))
        await self._configurations.set(node_id, config, known=known, actor=actor, at_s=self._clock())
        _log.info("camera configured", camera=camera, by=actor)
        if self._links is None or not self._links.connected(node_id):
            return self._configurations.of(node_id)
        self._configurations.send(node_id, self._links)
        self._introduce_again(node_id)
        return await self._configurations.wait_for_answer(node_id)

    async def want_still(self, camera: str) -> bytes:
        """One picture (JPEG, masked) of a camera (`node_id/camera_id`), taken now.

        Raises `NoSuchNode`, `NodeAway`, `NodeTooOld` or `StillUnavailable`.
        """
        node_id, _, camera_id = camera.rpartition("/")
        self._admission(node_id)
        if self._links is None:
            raise NodeAway(node_id)
        return await self._configurations.still(node_id, camera_id, self._links)

    async def people_in(self, picture: bytes, *, model_id: str) -> tuple[PersonInPicture, ...]:
        """Who is in a picture (JPEG, PNG or WebP), by the eyes of a connected node that embeds with `model_id`.

        Nothing of it is kept. Raises `PictureRefused`.
        """
        if self._links is None:
            raise NobodyLooked("no_node")
        hellos = (presence.hello for presence in self._presence.values() if presence.hello is not None)
        there = [hello for hello in hellos if self._links.connected(hello.node_id)]
        return await self._pictures.people_in(picture, nodes=there, model_id=model_id, connections=self._links)

    # --- for the ingest server -------------------------------------------------------------------------

    def admit(self, certificate_der: bytes) -> str:
        """Return whose certificate this is; raise `NotAdmitted` where the node is revoked or replaced."""
        key = x509.load_der_x509_certificate(certificate_der).public_key()
        fingerprint = key_fingerprint(key) if isinstance(key, ec.EllipticCurvePublicKey) else ""
        admission = self._admissions.get(self._by_key.get(fingerprint, ""))
        if admission is None:
            raise NotAdmitted(
                "unknown_key",
                "this hub does not know the device's key (any more): approve it here once it has asked again",
            )
        if admission.revoked:
            raise NotAdmitted(REVOKED, _REVOKED_TEXT)
        return admission.node_id

    def as_known(self, hello: Hello) -> Hello:
        """The node's introduction with the names that people gave here."""
        named = {camera.camera_id: camera.name for camera in self._configurations.of(hello.node_id).cameras}
        cameras = tuple(
            msgspec.structs.replace(camera, name=named.get(camera.camera_id) or camera.name) for camera in hello.cameras
        )
        name = self._admissions[hello.node_id].name if hello.node_id in self._admissions else hello.node_name
        return msgspec.structs.replace(hello, node_name=name, cameras=cameras)

    def came(self, hello: Hello, *, address: str) -> None:
        """A node was welcomed: tell it what it does not know yet."""
        self._pictures.gone(hello.node_id)  # an older connection of the same node
        self._presence[hello.node_id] = _Presence(hello, address, self._clock())
        if self._links is not None and self._configurations.needed(hello):
            self._configurations.send(hello.node_id, self._links)

    def went(self, node_id: str) -> None:
        """A node's connection is gone."""
        self._pictures.gone(node_id)
        if node_id in self._presence:
            self._presence[node_id] = replace(self._presence[node_id], at_s=self._clock())

    async def configured(self, node_id: str, configured: Configured) -> bool:
        """What became of a configuration; False where there is none with this revision."""
        if not configured.accepted:
            _log.warning("configuration refused", node=node_id, field=configured.field, reason=configured.reason)
        return await self._configurations.answered(node_id, configured, at_s=self._clock())

    def still(self, node_id: str, still: Still) -> bool:
        """A picture came; False where nobody waits for it (any more)."""
        return self._configurations.still_came(node_id, still)

    def examined(self, node_id: str, examined: Examined) -> bool:
        """What a node says of a picture; False where nobody waits for it (any more)."""
        return self._pictures.answered(node_id, examined)

    def allow_ask(self, address: str) -> None:
        """Count a stranger's connection; raise `NotAdmitted` where there are too many from this address."""
        self._waiting.allow(address, now_s=self._clock())

    async def ask(self, request: AdoptionRequest, *, address: str) -> Asking | Adopted:
        """A stranger asks: either it is in already, or it has to wait for `Asking.answer`.

        Whoever waits calls `let_go` in the end. Raises `NotAdmitted` or `RequestRefused`.
        """
        now_s = self._clock()
        key = read_request(request.request_der)
        key_der, fingerprint = key_bytes(key), key_fingerprint(key)
        admission = self._admissions.get(self._by_key.get(fingerprint, ""))
        if admission is not None and admission.revoked:
            raise NotAdmitted(REVOKED, _REVOKED_TEXT)
        if admission is not None:
            return self._certify(request, admission.node_id)
        code = adoption_code(key_der=key_der, authority_der=self._authority.certificate_der)
        asking = Asking(request, fingerprint, code, address, now_s, now_s)
        if self._proves(request, key_der) and len(self._admissions) < MAX_NODES:
            self._waiting.give_back(address)
            await self._let_in(asking, request.node_id, JOINED)
            return self._certify(request, request.node_id)
        asking = self._waiting.enter(asking, now_s=now_s)
        asking.connections += 1
        if asking.connections == 1:
            _log.info(
                "a device asks to be let in: compare its code, then approve or reject it",
                name=request.node_name,
                code=code,
                address=address,
            )
        return asking

    def let_go(self, asking: Asking) -> None:
        """A stranger's connection is gone; it is remembered a little longer."""
        asking.connections -= 1
        asking.heard_at_s = self._clock()

    # --- parts -----------------------------------------------------------------------------------------

    def _introduce_again(self, node_id: str) -> None:
        if self._links is not None:
            self._links.introduce_again(node_id)

    def _proves(self, request: AdoptionRequest, key_der: bytes) -> bool:
        """A stranger that knows the secret is no stranger, unless it wants somebody else's place."""
        if not self._join_secret or not request.proof or request.node_id in self._admissions:
            return False
        expected = adoption_proof(self._join_secret, key_der=key_der, authority_der=self._authority.certificate_der)
        return hmac.compare_digest(expected, request.proof)

    async def _let_in(self, asking: Asking, node_id: str, actor: str) -> Node:
        former = self._admissions.get(node_id)
        now_s = self._clock()
        name = former.name if former else asking.request.node_name
        key = asking.key_fingerprint
        admission = Admission(
            node_id,
            name,
            key,
            revoked=False,
            approved_at_s=now_s,
            approved_by=actor,
            changed_at_s=now_s,
            changed_by=actor,
        )
        certified = self._certify(asking.request, node_id)  # refused requests change nothing
        if actor != JOINED:
            await asyncio.to_thread(self._let_in_by_hand)
        if former is not None:
            self._by_key.pop(former.key_fingerprint, None)
        node = await self._change(admission, actor, "node approved")
        self._waiting.leave(asking)
        if not asking.answer.done():
            asking.answer.set_result(certified)
        return node

    def _certify(self, request: AdoptionRequest, node_id: str) -> Adopted:
        return Adopted(
            node_id=node_id,
            certificate_der=self._authority.sign_node(request.request_der, node_id=node_id),
            authority_der=self._authority.certificate_der,
            after_boot_epoch=self._resume_point(node_id).boot_epoch,
        )

    async def _change(self, admission: Admission, actor: str, what: str) -> Node:
        """The one place that changes an admission: first what decides here and now, then what survives."""
        changed = replace(admission, changed_at_s=self._clock(), changed_by=actor)
        self._admissions[changed.node_id] = changed
        self._by_key[changed.key_fingerprint] = changed.node_id
        await asyncio.to_thread(self._write, changed)
        _log.info(what, node=changed.name, node_id=changed.node_id, by=actor)
        return self._node(changed)

    def _write(self, admission: Admission) -> None:
        with self._store.writing() as connection:
            links.write_admission(connection, admission)

    def _admission(self, node_id: str) -> Admission:
        try:
            return self._admissions[node_id]
        except KeyError:
            raise NoSuchNode(node_id) from None

    def _cameras(self, node_id: str) -> tuple[str, ...]:
        hello = self._presence.get(node_id, _Presence()).hello
        if hello is not None:
            return tuple(camera.camera_id for camera in hello.cameras)
        met = (record.camera.rpartition("/") for record in self._store.cameras())
        return tuple(camera_id for owner, _, camera_id in met if owner == node_id)

    def _node(self, admission: Admission) -> Node:
        presence = self._presence.get(admission.node_id, _Presence())
        return Node(
            node_id=admission.node_id,
            name=admission.name,
            revoked=admission.revoked,
            connected=self._links is not None and self._links.connected(admission.node_id),
            address=presence.address,
            software_version=presence.hello.software_version if presence.hello else "",
            cameras=tuple(f"{admission.node_id}/{camera_id}" for camera_id in self._cameras(admission.node_id)),
            seen_at_s=presence.at_s,
            approved_at_s=admission.approved_at_s,
            approved_by=admission.approved_by,
            changed_at_s=admission.changed_at_s,
            changed_by=admission.changed_by,
        )

    def _pending(self, asking: Asking) -> PendingNode:
        claimed = self._admissions.get(asking.request.node_id)
        return PendingNode(
            node_id=asking.request.node_id,
            name=asking.request.node_name,
            code=asking.code,
            address=asking.address,
            key_fingerprint=asking.key_fingerprint,
            asked_at_s=asking.asked_at_s,
            known_as=claimed.name if claimed else "",
            connected=asking.connections > 0,
        )


def has_own_nodes(store: Store) -> bool:
    """Whether somebody has let a node in here; those of the same machine come by themselves and do not count."""
    with store.reading() as connection:
        admissions = links.all_admissions(connection)
    return any(not admission.revoked and admission.approved_by != JOINED for admission in admissions)


__all__ = ["Links", "NodeRegister", "RequestRefused"]
