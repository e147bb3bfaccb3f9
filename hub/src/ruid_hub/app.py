"""The hub's one composition root: settings in, a running hub out."""

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog

from ruid_core.identity import IdentityEngine
from ruid_hub import __version__
from ruid_hub.access import Access, AccessMode, Audit, OpenId, OpenIdSettings, reach_of, roles_of
from ruid_hub.api.network import LOOPBACK_NAMES, Proxies
from ruid_hub.authority import Authority, own_names
from ruid_hub.backup import back_up_before_update, drop_own_backups, make_backup
from ruid_hub.counting import Counting, keep_read_ahead
from ruid_hub.discovery import Presence, be_found, take_role
from ruid_hub.errors import BadSettings, HubError, PortInUse, StateUnusable
from ruid_hub.identities import UnknownEngine, build_engine
from ruid_hub.ingest import GroupCommit, IngestServer
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.choices import IntegrationSettings, Service
from ruid_hub.integrations.keeping import Choices
from ruid_hub.integrations.metrics import HubMetrics, LinkCollector, UpkeepCollector
from ruid_hub.integrations.sealing import Sealer
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.nodes import NodeRegister
from ruid_hub.nodes.joining import join_secret
from ruid_hub.nodes.local import local_commands
from ruid_hub.nodes.register import has_own_nodes
from ruid_hub.parts import HubParts
from ruid_hub.recognition import Recogniser
from ruid_hub.service import HubService
from ruid_hub.settings import HubSettings
from ruid_hub.site import Site
from ruid_hub.standby import standing_by
from ruid_hub.store import Store, StoreError, open_store
from ruid_hub.updating import Shortage, clear_update_lock, find_shortage, updates_held_off
from ruid_hub.watchdog import watched
from ruid_hub.web_app import WebSettings, create_web_app
from ruid_hub.web_server import serving

_FORGET_EVERY_S = 3600.0

_RENEW_EVERY_S = 3600.0

_LOOK_FOR_ROOM_EVERY_S = 5.0

_log = structlog.get_logger("hub")


def run_hub(settings: HubSettings) -> None:
    """Run a hub until it is told to stop; raise the `HubError` that ended it, if one did."""
    configure_logging(settings.log_level)
    _make_state_folder(settings)
    clear_update_lock(os.environ)
    asyncio.run(_run(settings))


async def _run(settings: HubSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    authority = _open_authority(settings)
    presence = Presence(authority.hub_id, authority.fingerprint, settings.node_port)
    if not await _is_hub(settings, presence, stop):
        _log.info("stopped: this device was not the hub")
        return
    if not await _has_room_for_update(settings, stop):
        return
    with updates_held_off(os.environ):
        store = _open_store(settings)
    try:
        await _be_hub(settings, authority, presence, store=store, stop=stop)
    finally:
        store.close()


async def _has_room_for_update(settings: HubSettings, stop: asyncio.Event) -> bool:
    """True once there is room to bring the database up to date, if it must be; until then the hub says so."""
    shortage = _shortage(settings)
    if shortage is None:
        return True
    _log.error(str(shortage))
    async with standing_by(_listener(settings.bind, settings.http_port), waits_for=str(shortage)):
        while shortage is not None and not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_FOR_ROOM_EVERY_S)
            shortage = _shortage(settings)
    return not stop.is_set()


async def _is_hub(settings: HubSettings, presence: Presence, stop: asyncio.Event) -> bool:
    """True once this device is to be the hub; until then it only answers that it is well."""
    if settings.role in {"hub", "both"}:
        return True
    async with standing_by(_listener(settings.bind, settings.http_port)) as http_port:
        _log.info("not the hub, or not yet", health=f"http://localhost:{http_port}/healthz")
        return await take_role(settings.role, presence, has_nodes=partial(_had_nodes, settings), stop=stop)


def _had_nodes(settings: HubSettings) -> bool:
    """Whether nodes were let in before this start. A file is made only by a hub: without one there were none."""
    if isinstance(settings.database, Path) and not settings.database.exists():
        return False
    store = _open_store(settings)
    try:
        return has_own_nodes(store)
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Works:
    """What works in a hub, put together and not started yet."""

    service: HubService
    commits: GroupCommit
    register: NodeRegister
    ingest: IngestServer
    integrations: Integrations
    counting: Counting
    parts: HubParts


def _works(settings: HubSettings, authority: Authority, store: Store) -> _Works:
    site, notifier, metrics = Site(), ChangeNotifier(), HubMetrics()
    access = Access(store=store, clock=time.time, mode=AccessMode(settings.access), setup_code=settings.setup_code)
    recogniser = Recogniser(store=store, engine=_engine(settings))
    service = HubService(site=site, store=store, recogniser=recogniser, notifier=notifier, metrics=metrics)
    commits = GroupCommit(service.commit)
    register = _register(settings, authority, store, recogniser, let_in_by_hand=access.end_demonstration)
    ingest = IngestServer(
        authority=authority,
        register=register,
        events=service,
        commits=commits,
        resume_point=recogniser.resume_point,
    )
    metrics.registry.register(LinkCollector(ingest.counters))
    counting = Counting(store=store, site=site, clock=time.time)
    integrations = _integrations(settings, store=store, site=site, counting=counting, hub_id=authority.hub_id[:12])
    parts = _parts(
        settings,
        store=store,
        access=access,
        site=site,
        notifier=notifier,
        metrics=metrics,
        counting=counting,
        not_ready=lambda: (*recogniser.troubles(), *store.troubles()),
        hand=service.hand,
        drifts=lambda: list(service.drifts.values()),
        integrations=integrations,
        nodes=register,
        authority_pem=authority.certificate_pem,
    )
    return _Works(service, commits, register, ingest, integrations, counting, parts)


async def _be_hub(
    settings: HubSettings, authority: Authority, presence: Presence, *, store: Store, stop: asyncio.Event
) -> None:
    works = _works(settings, authority, store)
    web_settings = _web_settings(settings)
    web_app = create_web_app(works.parts, web_settings)
    tls = authority.server_context_for_pages() if settings.https == "auto" else None
    listener = _listener(settings.bind, settings.http_port)
    has_nodes = partial(has_own_nodes, store)
    setup_code = {"setup-code": lambda: works.parts.access.setup_code}
    await works.service.start()
    async with (
        serving(
            web_app, listener, tls=tls, proxies=web_settings.proxies, plain_hosts=_plain_hosts(settings)
        ) as http_port,
        works.ingest.listening(bind=settings.bind, port=settings.node_port) as node_port,
        local_commands(works.register, Path(settings.state_dir), also=setup_code),
        _background(
            works.service.run(),
            works.commits.run(),
            works.integrations.run(),
            keep_read_ahead(works.counting, time.time),
            _forget_old_access(works.parts),
            be_found(settings.role, replace(presence, port=node_port), bind=settings.bind, has_nodes=has_nodes),
            _renew(authority, settings),
        ) as duties,
        watched(),
    ):
        _tell_setup_code(settings, works.parts.access)
        _tell_up(http_port, node_port)
        await _first_of(stop, duties)
        told_s = time.monotonic()
        works.parts.notifier.close()
    await works.service.close()
    _tell_stopped(works.service, store, took_s=time.monotonic() - told_s)
    if settings.summary_file:
        _write_summary(Path(settings.summary_file), {**works.service.summary(), **works.ingest.counters})


def _parts(
    settings: HubSettings, *, store: Store, metrics: HubMetrics, integrations: Integrations, **made: Any
) -> HubParts:
    metrics.registry.register(UpkeepCollector(folder=Path(settings.state_dir), integrations=integrations))
    return HubParts(
        store=store,
        metrics=metrics,
        integrations=integrations,
        audit=Audit(store=store, clock=time.time),
        clock=time.time,
        backup=partial(_back_up, settings),
        openid=_openid(settings),
        **made,
    )


def _openid(settings: HubSettings) -> OpenId | None:
    if not settings.oidc_issuer:
        return None
    wanted = OpenIdSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        name=settings.oidc_name,
        scopes=settings.oidc_scopes,
        claim=settings.oidc_claim,
        roles=roles_of(settings.oidc_roles),
        reach=reach_of(settings.oidc_reach),
    )
    return OpenId(wanted, clock=time.time)


def _register(
    settings: HubSettings,
    authority: Authority,
    store: Store,
    recogniser: Recogniser,
    *,
    let_in_by_hand: Callable[[], None],
) -> NodeRegister:
    return NodeRegister(
        store=store,
        authority=authority,
        resume_point=recogniser.resume_point,
        clock=time.time,
        join_secret=join_secret(settings.joining_file),
        let_in_by_hand=let_in_by_hand,
    )


def _tell_setup_code(settings: HubSettings, access: Access) -> None:
    """Whoever reads the log of a new hub may make its owner; on its own machine everybody may."""
    if access.setup_code and not settings.own_machine_only:
        _log.warning("this hub is new: its owner is made in the browser, with this code", code=access.setup_code)
    if access.visitor() is not None:
        _log.warning("this hub is a demonstration: whoever reaches it as localhost sees it until it has an owner")


def _tell_up(http_port: int, node_port: int) -> None:
    # What is there now stays: to look through it again would hold up every thread for a tenth of a second.
    gc.freeze()
    _log.info("hub is up", pages=f"http://localhost:{http_port}", nodes=f"wss://localhost:{node_port}")


def _tell_stopped(service: HubService, store: Store, *, took_s: float) -> None:
    kept = store.counts().observations
    _log.info("hub has stopped", items_taken=service.items_stored, observations_kept=kept, took_s=round(took_s, 2))


async def _renew(authority: Authority, settings: HubSettings) -> None:
    """Keep the server's certificate good while the hub runs for years and its addresses change."""
    while True:
        await asyncio.sleep(_RENEW_EVERY_S)
        authority.renew(names=own_names(also=settings.names.split()), now_s=time.time())


def _engine(settings: HubSettings) -> IdentityEngine:
    try:
        return build_engine(settings.engine, next_identity_id=lambda: uuid4().hex[:12])
    except UnknownEngine as error:
        raise BadSettings(f"RUID_ENGINE: {error}") from error


async def _forget_old_access(parts: HubParts) -> None:
    """End sessions and forget the audit's oldest entries, every hour."""
    while True:
        await asyncio.sleep(_FORGET_EVERY_S)
        await asyncio.to_thread(parts.access.sweep)
        await asyncio.to_thread(parts.audit.sweep)


def _integrations(settings: HubSettings, *, store: Store, site: Site, counting: Counting, hub_id: str) -> Integrations:
    choices = Choices(
        store=store,
        sealer=Sealer(Path(settings.state_dir)),
        base=IntegrationSettings(site_name=settings.site_name, hub_id=hub_id, version=__version__),
        variables=_set_by_variables(settings),
        clock=time.time,
    )
    return Integrations(choices.settings(), site=site, counting=counting, clock=time.time, choices=choices)


def _set_by_variables(settings: HubSettings) -> dict[Service, dict[str, str]]:
    """The services of which any variable is set, with all that they say."""
    dedup_s = settings.alert_dedup_s
    said = {
        Service.MQTT: {
            "url": settings.mqtt_url,
            "topic": settings.mqtt_topic,
            "discovery": settings.mqtt_discovery,
        },
        Service.WEBHOOK: {"url": settings.webhook_url, "secret": settings.webhook_secret},
        Service.NTFY: {"url": settings.ntfy_url, "token": settings.ntfy_token},
        Service.MAIL: {"url": settings.smtp_url, "sender": settings.mail_from, "recipients": settings.mail_to},
        Service.ALERTS: {"watch_list": settings.watch_list, "dedup_s": "" if dedup_s is None else f"{dedup_s:g}"},
    }
    return {service: values for service, values in said.items() if any(values.values())}


def _back_up(settings: HubSettings, with_biometrics: bool) -> Path:  # noqa: FBT001 - a port's signature
    """In the state folder: a container's other places are memory. What an earlier download left behind goes."""
    folder = Path(settings.state_dir)
    for left in folder.glob(".download-*"):
        if time.time() - left.stat().st_mtime > _FORGET_EVERY_S:
            left.unlink(missing_ok=True)
    target = folder / f".download-{uuid4().hex}.tar"
    make_backup(settings.database, folder, target, with_biometrics=with_biometrics)
    return target


def _open_authority(settings: HubSettings) -> Authority:
    """The hub's own certificates, good for every name that it has today."""
    names = own_names(also=settings.names.split())
    return Authority.open(Path(settings.state_dir) / "authority", names=names, now_s=time.time())


def _make_state_folder(settings: HubSettings) -> None:
    try:
        Path(settings.state_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateUnusable(f"{error}; set RUID_STATE_DIR to another folder or mend this one") from error


def _shortage(settings: HubSettings) -> Shortage | None:
    with _usable_state(settings):
        return find_shortage(settings.database, Path(settings.state_dir))


def _open_store(settings: HubSettings) -> Store:
    folder, place = Path(settings.state_dir), settings.database
    with _usable_state(settings):
        store = open_store(place, before_migration=lambda revision: back_up_before_update(place, folder, revision))
    store.on_erasure(lambda: drop_own_backups(folder))
    return store


@contextmanager
def _usable_state(settings: HubSettings) -> Generator[None]:
    try:
        yield
    except (OSError, StoreError) as error:
        mend = "mend RUID_DATABASE_URL" if settings.database_url else "set RUID_STATE_DIR to another folder"
        raise StateUnusable(f"{error}; {mend} or mend this one") from error


def _web_settings(settings: HubSettings) -> WebSettings:
    web_dir = Path(settings.web_dir)
    if not (web_dir / "templates").is_dir():
        raise BadSettings(f"RUID_WEB_DIR is '{web_dir}', which holds no templates")
    time_zone = datetime.fromtimestamp(time.time(), tz=UTC).astimezone().tzinfo or UTC
    return WebSettings(
        web_dir=web_dir,
        site_name=settings.site_name,
        time_zone=time_zone,
        proxies=Proxies.of(settings.trusted_proxies.split(), settings.proxy_user_header),
        free_hosts=LOOPBACK_NAMES if settings.own_machine_only else frozenset(),
    )


def _plain_hosts(settings: HubSettings) -> frozenset[str]:
    """A demonstration is looked at from its own machine, where a browser would only be warned of its certificate."""
    return LOOPBACK_NAMES if settings.access == "demonstration" else frozenset()


def _listener(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
    except OSError as error:
        listener.close()
        raise PortInUse(f"port {port} for the pages cannot be opened ({error.strerror}): choose another one") from error
    return listener


@asynccontextmanager
async def _background(*duties: Coroutine[None, None, None]) -> AsyncGenerator[list["asyncio.Task[None]"]]:
    tasks = [asyncio.create_task(duty) for duty in duties]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _first_of(stop: asyncio.Event, duties: "list[asyncio.Task[None]]") -> None:
    """Wait to be told to stop; raise where a duty, which should never end, has failed."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopping, *duties}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for task in done - {stopping}:
        raise HubError(f"a part of the hub broke: {task.exception()!r}") from task.exception()


def _write_summary(path: Path, summary: dict[str, object]) -> None:
    path.write_text(json.dumps(summary), encoding="utf-8")


def configure_logging(level: str) -> None:
    """Terse lines on standard error: time, level, what happened, values."""
    for chatty in ("uvicorn.error", "websockets.server"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=0,
                pad_level=False,
                # The usual one shows the values of variables, passwords among them, and holds up all else meanwhile.
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
