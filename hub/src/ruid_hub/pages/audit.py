"""Audit: who looked at whom, and who changed what."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from litestar import Response, get

from ruid_hub.access import Access, Audit, AuditEntry
from ruid_hub.access.accounts import Accounts
from ruid_hub.api.given import Given
from ruid_hub.counting import Counting
from ruid_hub.nodes import NodeRegister
from ruid_hub.pages.cameras import ADMINISTERING
from ruid_hub.pages.frame import Frame
from ruid_hub.pages.look import AnyRequest, Look
from ruid_hub.pages.texts import label_of
from ruid_hub.site import Site

ENTRIES_SHOWN = 50
TEXT = 80
KINDS = {
    "": "Everything",
    "person.": "People",
    "camera.": "Cameras",
    "node.": "Devices",
    "user.": "Users",
    "token.": "Tokens",
    "session.": "Signing in",
    "integration.": "Integrations",
}
WORDS = {
    "person.look": "looked at",
    "person.search": "searched with a picture",
    "person.rename": "renamed",
    "person.merge": "merged",
    "person.split": "split",
    "person.move": "moved a sighting of",
    "person.not_this_person": "said a sighting is not",
    "person.different": "kept two apart",
    "person.erase": "erased",
    "people.stream": "followed who is where",
    "sightings.export": "downloaded sightings",
    "person.undo": "took back a correction of",
    "camera.look": "asked for a picture from",
    "camera.still": "asked for a picture from",
    "camera.rules": "set",
    "node.approve": "let in",
    "node.reject": "turned away",
    "node.rename": "renamed",
    "node.revoke": "kept out",
    "node.replace": "put another device in the place of",
    "user.add": "added the user",
    "user.change": "changed the user",
    "user.remove": "removed the user",
    "user.password": "changed the password of",
    "token.add": "made the token",
    "token.issue": "made the token",
    "token.revoke": "revoked the token",
    "session.begin": "signed in from",
    "session.end": "signed out",
    "session.refuse": "refused a sign-in from",
    "setup.refuse": "refused the set-up from",
    "hub.setup": "set up this hub as",
    "hub.backup": "downloaded a backup of this hub",
    "hub.support": "downloaded a report for support",
    "integration.save": "changed the integration",
    "integration.remove": "switched off the integration",
    "integration.test": "sent a test to the integration",
    "site.save": "set up the site",
    "site.assign": "put a camera into the site",
    "site.remove": "removed the site",
    "counts.adjust": "set how many are inside",
    "counts.settings": "changed how the hub counts",
    "counting.settings": "changed how the hub counts",
    "settings.retention": "changed how long is kept",
    "visits.export": "downloaded visits",
    "crossings.export": "downloaded crossings",
}
"""Actions in words."""
UNTOLD = {"operation_id"}
SPAN = re.compile(r"(\d{1,10})-(\d{1,10})")
"""From when to when, in seconds since the Unix epoch."""

WAYS = {
    "session": "in a browser",
    "token": "by a token",
    "proxy": "by a proxy",
    "open": "nobody needs to",
    "demonstration": "in the demonstration",
}


@dataclass(frozen=True, slots=True)
class AuditPage:
    """What pages/audit.html needs."""

    template: ClassVar[str] = "pages/audit.html"

    frame: Frame
    entries: tuple[AuditEntry, ...]
    words: Callable[[str], str]
    """What an entry's action is in words."""
    called: Callable[[AuditEntry], str]
    """What an entry was about, by its name where it still has one."""
    besides: Callable[[AuditEntry], str]
    """What else an entry tells."""
    ways: dict[str, str]
    """How somebody was known, in words."""
    kinds: dict[str, str]
    kind: str
    actor: str
    subject: str
    more: str
    """Where the trail goes on; empty at its end."""


@get("/audit", guards=ADMINISTERING, include_in_schema=False)
async def audit_page(
    request: AnyRequest,
    look: Given[Look],
    audit: Given[Audit],
    access: Given[Access],
    site: Given[Site],
    counting: Given[Counting | None],
    nodes: Given[NodeRegister | None],
) -> Response[str]:
    """The trail, newest first."""
    asked = request.query_params
    kind = asked.get("kind", "")
    kind = kind if kind in KINDS else ""
    actor, subject = (asked.get(name, "").strip()[:TEXT] for name in ("actor", "subject"))
    before = asked.get("before", "")
    # In the event loop, which alone changes the live picture.
    cameras = {camera: site.name_of(camera) for camera in site.cameras()}
    entries = await asyncio.to_thread(
        audit.entries,
        ENTRIES_SHOWN + 1,
        before=int(before) if before.isdigit() else None,
        actor=actor or None,
        action=kind or None,
        subject=_identity(subject) or None,
    )
    shown = entries[:ENTRIES_SHOWN]
    onward = {"kind": kind, "actor": actor, "subject": subject, "before": shown[-1].entry_id if shown else 0}
    page = AuditPage(
        frame=look.frame("audit"),
        entries=tuple(shown),
        words=in_words,
        called=await asyncio.to_thread(names, access.accounts, cameras, counting, nodes, look.templates.time.clock),
        besides=besides,
        ways=WAYS,
        kinds=KINDS,
        kind=kind,
        actor=actor,
        subject=subject,
        more=f"/audit?{urlencode(onward)}" if len(entries) > ENTRIES_SHOWN else "",
    )
    return look.page(page)


def names(
    accounts: Accounts,
    cameras: Mapping[str, str],
    counting: Counting | None,
    nodes: NodeRegister | None,
    clock: Callable[[float], str],
) -> Callable[[AuditEntry], str]:
    """Says what is called what today: users, tokens, nodes, cameras and sites, never people who were seen.

    Of an export it says from when to when.
    """
    known: dict[str, Mapping[str, str]] = {
        "user": {str(user.user_key): user.name for user in accounts.users()},
        "token": {str(token.token_key): token.name for token in accounts.tokens()},
        "node": {node.node_id: node.name for node in nodes.nodes()} if nodes is not None else {},
        "camera": cameras,
        "site": {each.site_id: each.name for each in counting.sites()} if counting is not None else {},
    }

    def called(entry: AuditEntry) -> str:
        if entry.action.endswith(".export") and (span := SPAN.fullmatch(entry.subject)):
            return f"{clock(int(span[1]))} to {clock(int(span[2]))}"
        return known.get(entry.action.partition(".")[0], {}).get(entry.subject, entry.subject)

    return called


def besides(entry: AuditEntry) -> str:
    """The details of an entry in words, without the numbers that only programs need."""
    told = {name: value for name, value in entry.detail.items() if name not in UNTOLD and value is not None}
    other = told.pop("other_id", None)
    words = [] if other is None else [f"and {label_of(str(other), None)}"]
    return ", ".join([*words, *(f"{name.replace('_', ' ')}: {_plainly(value)}" for name, value in told.items())])


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _identity(subject: str) -> str:
    """A person as pages call them, `Person BCF60D`, stands in the trail as the beginning of an identity."""
    called, _, stem = subject.partition(" ")
    return stem.strip().casefold() if called.casefold() == "person" else subject


def in_words(action: str) -> str:
    """An action in plain words; one that has none yet is spelt out."""
    return WORDS.get(action) or action.replace(".", ": ").replace("_", " ")
