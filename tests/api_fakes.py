"""A hub with every part that the API asks, on a store of its own."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import numpy as np
from litestar import Litestar

from hub_fakes import NOON_S, TEST_HOSTS, WEB_DIR, FakeClock, hello, live, matched, row, track
from ruid_hub.access import Access, AccessMode, Audit, OpenId
from ruid_hub.api.network import LOOPBACK_NAMES
from ruid_hub.authority import Authority
from ruid_hub.counting import Counting
from ruid_hub.identities import build_engine
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.choices import IntegrationSettings, Service, Values
from ruid_hub.integrations.keeping import Choices
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.integrations.sealing import Sealer
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.nodes import NodeRegister
from ruid_hub.parts import HubParts
from ruid_hub.recognition import Recogniser
from ruid_hub.service import HubService
from ruid_hub.site import Site
from ruid_hub.store import Store
from ruid_hub.web_app import WebSettings, create_web_app

OWN_HOSTS = LOOPBACK_NAMES | TEST_HOSTS
HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://elsewhere.example","look")',
    "+1+1",
    "@SUM(A1)",
    "a,b\r\nc",
    '"; DROP TABLE users; --',
    "\u202egnp.exe",
    "é\u0000\u0007",
)
"""Names that somebody might give, to see what happens."""


def parts_of(store: Store, folder: Path, *, mode: AccessMode = AccessMode.REQUIRED) -> HubParts:
    """Everything of a hub but its sockets; call it inside an event loop."""
    site, clock, notifier, metrics = Site(), FakeClock(), ChangeNotifier(), HubMetrics()
    site.node_connected(hello(), NOON_S)
    site.live("node-1", live(1), NOON_S)
    site.assigned(track(1), matched("ada"), at_s=NOON_S)
    numbers = np.random.default_rng(7)
    engine = build_engine("ruid", next_identity_id=lambda: numbers.bytes(6).hex())
    recogniser = Recogniser(store=store, engine=engine)
    service = HubService(site=site, store=store, recogniser=recogniser, notifier=notifier, metrics=metrics)
    authority = Authority.open(folder / "authority", names=["localhost"], now_s=NOON_S)
    nodes = NodeRegister(
        store=store, authority=authority, resume_point=recogniser.resume_point, clock=clock, join_secret=b""
    )
    return HubParts(
        site=site,
        store=store,
        access=Access(store=store, clock=clock, mode=mode),
        audit=Audit(store=store, clock=clock),
        notifier=notifier,
        metrics=metrics,
        clock=clock,
        hand=service.hand,
        counting=Counting(store=store, site=site, clock=clock),
        integrations=integrations_of(store, folder, site),
        nodes=nodes,
        authority_pem=authority.certificate_pem,
        backup=lambda biometrics: _archive(folder, f"everything {biometrics}"),
    )


def choices_of(store: Store, folder: Path, *, variables: Mapping[Service, Values] | None = None) -> Choices:
    """What can be set about integrations, kept in the store."""
    base = IntegrationSettings(site_name="Corner shop", hub_id="0123abcd", version="1")
    return Choices(store=store, sealer=Sealer(folder), base=base, variables=variables or {}, clock=FakeClock())


def integrations_of(
    store: Store, folder: Path, site: Site, *, variables: Mapping[Service, Values] | None = None
) -> Integrations:
    """Integrations that can be set; call it inside an event loop."""
    choices = choices_of(store, folder, variables=variables)
    return Integrations(choices.settings(), site=site, counting=None, clock=FakeClock(), choices=choices)


def _archive(folder: Path, text: str) -> Path:
    archive = folder / "download.tar"
    archive.write_text(text)
    return archive


async def whole_hub(
    store: Store, folder: Path, *, mode: AccessMode = AccessMode.REQUIRED, openid: OpenId | None = None
) -> Litestar:
    """The application on those parts, with two people in the store."""
    store.commit([row(1, "ada"), row(2, "bob", at_s=NOON_S - 60)])
    settings = WebSettings(web_dir=WEB_DIR, site_name="S", time_zone=UTC, open_hosts=OWN_HOSTS, free_hosts=OWN_HOSTS)
    return create_web_app(replace(parts_of(store, folder, mode=mode), openid=openid), settings)


async def eventually(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until it holds; fail where it never does."""
    for _ in range(round(within_s / 0.02)):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {within_s} s")
