"""Settings: one's own account, users and tokens, how the hub counts, what it keeps, and the hub itself."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from litestar import Response, get, post
from litestar.params import FromPath

from ruid_hub.access import Access, AccessError, Audit, Permit, Reach, Role, Session, Token, User, Way
from ruid_hub.access.values import SITE
from ruid_hub.api.given import Given
from ruid_hub.counting import Counting, CountingError, CountingSettings
from ruid_hub.nodes import NodeRegister
from ruid_hub.pages.cameras import ADMINISTERING
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look, several
from ruid_hub.pages.notices import refusal
from ruid_hub.pages.people import OWN_ACCOUNT
from ruid_hub.site import Site
from ruid_hub.store import BadRetention, Retention, Store, StoreCounts

HOUR_S, DAY_S, MB = 3600.0, 86_400.0, 1e6
TEXT = 64
TOKEN_DAYS = {"": None, "30": 30.0, "365": 365.0}
SAID = {
    ("done", "password"): Notice("Your password is changed; every other browser of yours is signed out."),
    ("trouble", "wrong"): Notice("The password of now was not right. Nothing has changed.", refused=True),
    ("trouble", "password"): Notice("The new password is too short or too long. Nothing has changed.", refused=True),
    ("trouble", "slow"): Notice("Too many attempts. Wait a minute and try again.", refused=True),
}
"""What the sign-in routes put into the address."""
ROLES = (
    (Role.VIEWER, "looks at pages"),
    (Role.OPERATOR, "also names and corrects people, draws zones, adjusts counts"),
    (Role.ADMIN, "also looks after users, nodes and the hub"),
)
PERMITS = (
    (Permit.SITE_READ, "cameras and counts"),
    (Permit.PEOPLE_READ, "who was seen, with pictures"),
    (Permit.PEOPLE_WRITE, "name and correct people"),
    (Permit.SITE_WRITE, "zones, lines, adjustments"),
    (Permit.METRICS, "the hub's own measurements"),
    (Permit.ADMIN, "everything that admins do"),
)


@dataclass(frozen=True, slots=True)
class Administration:
    """What only admins see."""

    users: tuple[User, ...]
    tokens: tuple[Token, ...]
    reach_choices: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """What a user's reach may be cut to: sites, nodes, cameras, each with (place, name)."""
    counting: CountingSettings
    stored: StoreCounts
    versions: tuple[tuple[str, int], ...]
    """What so many devices that were heard since the hub's start run, the most frequent first."""
    troubles: tuple[str, ...]
    """Why the hub cannot do its work; empty when it can."""
    certificate: bool
    """The hub's own authority can be taken along for browsers to trust."""


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """What pages/settings.html needs."""

    template: ClassVar[str] = "pages/settings.html"

    frame: Frame
    has_password: bool
    """The viewer signs in with a password of their own."""
    sessions: tuple[Session, ...]
    """The viewer's own browsers."""
    this_session: int
    retention: Retention
    roles: tuple[tuple[Role, str], ...]
    permits: tuple[tuple[Permit, str], ...]
    admin: Administration | None
    """None for everybody else."""


@get("/settings", guards=OWN_ACCOUNT, include_in_schema=False)
async def settings_page(
    request: AnyRequest,
    look: Given[Look],
    access: Given[Access],
    site: Given[Site],
    counting: Given[Counting],
    not_ready: Given[Callable[[], tuple[str, ...]]],
    authority_pem: Given[bytes],
    nodes: Given[NodeRegister | None],
) -> Response[str]:
    """What the viewer may set."""
    asked = request.query_params
    said = next((notice for (key, word), notice in SAID.items() if asked.get(key) == word), None)
    signed_in = look.caller.way is Way.SESSION
    sessions = await asyncio.to_thread(access.accounts.sessions_of, look.caller.user_key) if signed_in else []
    myself = await asyncio.to_thread(access.accounts.user, look.caller.user_key) if signed_in else None
    admin = None
    if look.caller.role >= Role.ADMIN and look.caller.reach.everywhere:
        # In the event loop, which alone changes the live picture.
        cameras = tuple((camera, site.name_of(camera)) for camera in site.cameras())
        admin = await asyncio.to_thread(_administration, access, look.store, cameras, counting, nodes)
        admin = replace(admin, troubles=not_ready(), certificate=bool(authority_pem))
    page = SettingsPage(
        frame=look.frame("settings", said),
        has_password=myself is not None and myself.has_password,
        sessions=tuple(sessions),
        this_session=look.caller.key,
        retention=look.store.retention,
        roles=ROLES,
        permits=PERMITS,
        admin=admin,
    )
    return look.page(page)


@post("/settings/sessions/{session_key:int}/end", guards=OWN_ACCOUNT, include_in_schema=False)
async def end_session(
    session_key: FromPath[int], look: Given[Look], access: Given[Access], audit: Given[Audit]
) -> Response[None]:
    """Sign one of the viewer's own browsers out."""
    return await _changed(
        look,
        audit,
        lambda: access.accounts.end_session(session_key, user_key=look.caller.user_key),
        action="session.end",
        subject=look.actor,
        text="That browser is signed out.",
    )


@post("/settings/users", guards=ADMINISTERING, include_in_schema=False)
async def add_user(data: Form, look: Given[Look], access: Given[Access], audit: Given[Audit]) -> Response[None]:
    """Make a user."""
    name = str(data.get("name", "")).strip()
    role, reach = _role(data.get("role")), _reach(data)
    return await _changed(
        look,
        audit,
        lambda: access.accounts.add_user(name, role=role, reach=reach, password=str(data.get("password", ""))),
        action="user.add",
        subject=name,
        text=f"{name} can sign in now.",
    )


@post("/settings/users/{user_key:int}", guards=ADMINISTERING, include_in_schema=False)
async def change_user(
    user_key: FromPath[int], data: Form, look: Given[Look], access: Given[Access], audit: Given[Audit]
) -> Response[None]:
    """Change a user's role, reach and, where one is given, password; or `remove` them."""
    if "remove" in data:
        return await _changed(
            look,
            audit,
            lambda: access.accounts.remove_user(user_key),
            action="user.remove",
            subject=str(user_key),
            text="The user is removed and signed out everywhere.",
        )
    role, reach, password = _role(data.get("role")), _reach(data), str(data.get("password", ""))

    def change() -> None:
        access.accounts.change_user(user_key, role=role, reach=reach)
        if password:
            access.accounts.set_password(user_key, password)

    return await _changed(look, audit, change, action="user.change", subject=str(user_key), text="Saved.")


@post("/settings/tokens", guards=ADMINISTERING, include_in_schema=False)
async def issue_token(
    data: Form, look: Given[Look], access: Given[Access], audit: Given[Audit], clock: Given[Callable[[], float]]
) -> Response[None]:
    """Make a token that belongs to the viewer; its secret is shown on the next page and never again."""
    known = {permit.value: permit for permit in Permit}
    permits = [known[word] for word in several(data.get("permit")) if word in known]
    days = TOKEN_DAYS.get(str(data.get("days", "")))
    expires_at_s = None if days is None else clock() + days * DAY_S
    if not permits or not look.caller.user_key:
        why = "Choose what the token is good for." if look.caller.user_key else "Sign in as a user to make tokens."
        return look.go("/settings#tokens", Notice(why, refused=True))
    name = str(data.get("name", "")).strip()[:TEXT]
    try:
        token, secret = await asyncio.to_thread(
            access.accounts.issue_token, name, user_key=look.caller.user_key, permits=permits, expires_at_s=expires_at_s
        )
    except AccessError as error:
        return look.go("/settings#tokens", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "token.issue", str(token.token_key))
    return look.go("/settings#tokens", f"Copy the token now, it is never shown again: {secret}")


@post("/settings/tokens/{token_key:int}/revoke", guards=ADMINISTERING, include_in_schema=False)
async def revoke_token(
    token_key: FromPath[int], look: Given[Look], access: Given[Access], audit: Given[Audit]
) -> Response[None]:
    """A token opens nothing any more."""
    return await _changed(
        look,
        audit,
        lambda: access.accounts.revoke_token(token_key),
        action="token.revoke",
        subject=str(token_key),
        text="The token opens nothing any more.",
    )


@post("/settings/counting", guards=ADMINISTERING, include_in_schema=False)
async def save_counting(
    data: Form, look: Given[Look], counting: Given[Counting], audit: Given[Audit]
) -> Response[None]:
    """How the hub counts unless a page asks otherwise."""
    try:
        now = await asyncio.to_thread(counting.settings)
        settings = replace(
            now,
            re_entry_s=float(str(data.get("re_entry_min", ""))) * 60,
            leave_out=tuple(name for name in map(str.strip, str(data.get("leave_out", "")).split(",")) if name),
            reset_at=str(data.get("reset_at", "")).strip(),
            time_zone=str(data.get("time_zone", "")).strip(),
        )
        await asyncio.to_thread(counting.set_settings, settings)
    except ValueError:
        return look.go("/settings#counting", Notice("Write the minutes as a number.", refused=True))
    except CountingError as error:
        return look.go("/settings#counting", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, "counting.settings")
    return look.go("/settings#counting", "Saved. Counts follow the new settings, those of the past too.")


@post("/settings/retention", guards=ADMINISTERING, include_in_schema=False)
async def save_retention(data: Form, look: Given[Look], store: Given[Store], audit: Given[Audit]) -> Response[None]:
    """How long each kind is kept, in hours and days, and the most room in MB."""
    try:
        kept = replace(
            store.retention,
            thumbnails_s=float(str(data.get("thumbnails_h", ""))) * HOUR_S,
            embeddings_s=float(str(data.get("embeddings_h", ""))) * HOUR_S,
            history_s=float(str(data.get("history_d", ""))) * DAY_S,
            counts_s=float(str(data.get("counts_d", ""))) * DAY_S,
            most_bytes=round(float(str(data.get("most_mb", "") or 0)) * MB),
        )
        await asyncio.to_thread(store.set_retention, kept)
        look.templates.pictures_kept_s = kept.thumbnails_s
    except BadRetention as error:
        return look.go("/settings#privacy", refusal(error))
    except ValueError:
        return look.go("/settings#privacy", Notice("Write hours, days and room as numbers.", refused=True))
    await asyncio.to_thread(audit.record, look.caller, "settings.retention")
    return look.go("/settings#privacy", "Saved. What is older goes within minutes.")


async def _changed(
    look: Look, audit: Audit, change: Callable[[], object], *, action: str, subject: str, text: str
) -> Response[None]:
    try:
        await asyncio.to_thread(change)
    except AccessError as error:
        return look.go("/settings", refusal(error))
    await asyncio.to_thread(audit.record, look.caller, action, subject)
    return look.go("/settings", text)


def _administration(
    access: Access,
    store: Store,
    cameras: tuple[tuple[str, str], ...],
    counting: Counting,
    nodes: NodeRegister | None,
) -> Administration:
    known = nodes.nodes() if nodes is not None else ()
    return Administration(
        users=tuple(access.accounts.users()),
        tokens=tuple(access.accounts.tokens()),
        reach_choices=(
            ("Sites", tuple((f"{SITE}{each.site_id}", each.name) for each in counting.sites())),
            ("Devices", tuple((node.node_id, node.name) for node in known)),
            ("Cameras", cameras),
        ),
        counting=counting.settings(),
        stored=store.counts(),
        versions=tuple(Counter(node.software_version for node in known if node.software_version).most_common()),
        troubles=(),
        certificate=False,
    )


def _role(word: Any) -> Role:
    try:
        return Role.of(str(word))
    except ValueError:
        return Role.VIEWER


def _reach(data: dict[str, Any]) -> Reach:
    """Everything, unless the form says `some` and names sites, nodes or cameras."""
    return Reach.of(several(data.get("place")) if data.get("reach") == "some" else None)
