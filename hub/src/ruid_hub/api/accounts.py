"""Users, sessions, tokens, the audit, and oneself."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Controller, delete, get, patch, post, put
from litestar.exceptions import PermissionDeniedException, ValidationException
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ruid_hub.access import Access, Audit, AuditEntry, Caller, Permit, Reach, Role, Session, Token, User, Way
from ruid_hub.api.exports import Format, FormatAsked, columns_of, exported
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere, requires
from ruid_hub.api.paging import Cursor, Limit, cursor_of, place_in

ADMIN = [requires(Role.ADMIN, Permit.ADMIN)]
ANYONE = [requires(Role.VIEWER, Permit.SITE_READ)]
MOST_PLACES = 1000
EXPORTED_ENTRIES = 100_000

Key = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]
Places = list[str] | None
"""Cameras (`node_id/camera_id`), nodes (`node_id`) and sites (`site:site_id`); None for everything."""


@dataclass(frozen=True, slots=True)
class Myself:
    """Who asks, and what they may do."""

    name: str
    role: str
    reach: Places
    way: str
    permits: list[str] | None


@dataclass(frozen=True, slots=True)
class UserShown:
    """A user as the API shows them."""

    user_key: int
    name: str
    role: str
    reach: Places
    has_password: bool
    created_at_s: float
    signed_in_at_s: float | None

    @classmethod
    def of(cls, user: User) -> "UserShown":
        """With plain words for role and reach."""
        return cls(
            user.user_key,
            user.name,
            user.role.word,
            _places(user.reach),
            user.has_password,
            user.created_at_s,
            user.signed_in_at_s,
        )


@dataclass(frozen=True, slots=True)
class NewUser:
    """`role` is viewer, operator or admin; without a password, a user comes in through a trusted proxy only."""

    name: str
    role: str
    password: str | None = None
    reach: Places = None


@dataclass(frozen=True, slots=True)
class UserChange:
    """Role and reach from now on."""

    role: str
    reach: Places = None


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that an admin gives a user."""

    password: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """`permits` are site:read, people:read, people:write, site:write, metrics:read, admin."""

    name: str
    permits: list[str]
    expires_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class TokenShown:
    """A token; `secret` is there once, in the answer that made it."""

    token_key: int
    owner: str
    name: str
    permits: list[str]
    created_at_s: float
    expires_at_s: float | None
    used_at_s: float | None
    secret: str | None = None

    @classmethod
    def of(cls, token: Token, secret: str | None = None) -> "TokenShown":
        """With plain words for permits."""
        permits = sorted(permit.value for permit in token.permits)
        return cls(
            token.token_key,
            token.owner,
            token.name,
            permits,
            token.created_at_s,
            token.expires_at_s,
            token.used_at_s,
            secret,
        )


@dataclass(frozen=True, slots=True)
class AuditPage:
    """The newest first."""

    items: list[AuditEntry]
    next: str | None


class AccountsController(Controller):
    """For admins who see every camera, but for /me."""

    path = "/api/v1"
    tags = ("access",)

    @get("/me", guards=ANYONE, sync_to_thread=False)
    def me(self, caller: Given[Caller]) -> Myself:
        """Who asks, and what they may do."""
        permits = None if caller.permits is None else sorted(permit.value for permit in caller.permits)
        return Myself(caller.name, caller.role.word, _places(caller.reach), caller.way.value, permits)

    @get("/users", guards=ADMIN)
    async def users(self, access: Given[Access], caller: Given[Caller]) -> list[UserShown]:
        """By name."""
        everywhere(caller)
        return [UserShown.of(user) for user in await asyncio.to_thread(access.accounts.users)]

    @post("/users", guards=ADMIN)
    async def add_user(
        self, data: JSONBody[NewUser], access: Given[Access], caller: Given[Caller], audit: Given[Audit]
    ) -> UserShown:
        """A new user."""
        everywhere(caller)
        role, reach = _role(data.role), _reach(data.reach)
        user = await asyncio.to_thread(
            access.accounts.add_user, data.name, role=role, reach=reach, password=data.password
        )
        await asyncio.to_thread(audit.record, caller, "user.add", user.name, {"role": role.word})
        return UserShown.of(user)

    @patch("/users/{user_key:int}", guards=ADMIN)
    async def change_user(
        self,
        user_key: Key,
        data: JSONBody[UserChange],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> UserShown:
        """Another role or reach, at once."""
        role, reach = _role(data.role), _reach(data.reach)
        user = await asyncio.to_thread(access.accounts.change_user, user_key, role=role, reach=reach)
        await asyncio.to_thread(audit.record, caller, "user.change", user.name, {"role": role.word})
        return UserShown.of(user)

    @put("/users/{user_key:int}/password", guards=ADMIN, status_code=204)
    async def set_password(
        self,
        user_key: Key,
        data: JSONBody[NewPassword],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> None:
        """A new password; every session of the user ends."""
        await asyncio.to_thread(access.accounts.set_password, user_key, data.password)
        user = await asyncio.to_thread(access.accounts.user, user_key)
        await asyncio.to_thread(audit.record, caller, "user.password", user.name)

    @delete("/users/{user_key:int}", guards=ADMIN)
    async def remove_user(
        self, user_key: Key, access: Given[Access], caller: Given[Caller], audit: Given[Audit]
    ) -> None:
        """With sessions and tokens."""
        user = await asyncio.to_thread(access.accounts.remove_user, user_key)
        await asyncio.to_thread(audit.record, caller, "user.remove", user.name)

    @get("/users/{user_key:int}/sessions", guards=ADMIN)
    async def sessions(self, user_key: Key, access: Given[Access]) -> list[Session]:
        """Where a user is signed in."""
        return await asyncio.to_thread(access.accounts.sessions_of, user_key)

    @delete("/users/{user_key:int}/sessions/{session_key:int}", guards=ADMIN)
    async def end_session(
        self, user_key: Key, session_key: Key, access: Given[Access], caller: Given[Caller], audit: Given[Audit]
    ) -> None:
        """Sign a browser out."""
        await asyncio.to_thread(access.accounts.end_session, session_key, user_key=user_key)
        await asyncio.to_thread(audit.record, caller, "session.end", str(user_key))

    @get("/tokens", guards=ADMIN)
    async def tokens(self, access: Given[Access], caller: Given[Caller]) -> list[TokenShown]:
        """The newest first."""
        everywhere(caller)
        return [TokenShown.of(token) for token in await asyncio.to_thread(access.accounts.tokens)]

    @post("/tokens", guards=ADMIN)
    async def issue_token(
        self,
        data: JSONBody[NewToken],
        access: Given[Access],
        caller: Given[Caller],
        audit: Given[Audit],
        clock: Given[Callable[[], float]],
    ) -> TokenShown:
        """A token of one's own; a token never makes tokens."""
        everywhere(caller)
        if caller.way in {Way.TOKEN, Way.OPEN}:
            raise PermissionDeniedException("Only somebody who is signed in makes tokens.")
        if data.expires_at_s is not None and data.expires_at_s <= clock():
            raise ValidationException("This token would have ended before it began.")
        permits = _permits(data.permits)
        token, secret = await asyncio.to_thread(
            access.accounts.issue_token,
            data.name,
            user_key=caller.user_key,
            permits=permits,
            expires_at_s=data.expires_at_s,
        )
        await asyncio.to_thread(audit.record, caller, "token.add", token.name, {"permits": data.permits})
        return TokenShown.of(token, secret)

    @delete("/tokens/{token_key:int}", guards=ADMIN)
    async def revoke_token(
        self, token_key: Key, access: Given[Access], caller: Given[Caller], audit: Given[Audit]
    ) -> None:
        """Works at once."""
        token = await asyncio.to_thread(access.accounts.token, token_key)
        await asyncio.to_thread(access.accounts.revoke_token, token_key)
        await asyncio.to_thread(audit.record, caller, "token.revoke", token.name)

    @get("/audit", guards=ADMIN)
    async def audit_page(
        self,
        audit: Given[Audit],
        caller: Given[Caller],
        limit: Limit = 50,
        cursor: Cursor = None,
        actor: Annotated[str | None, QueryParameter(max_length=200)] = None,
        action: Annotated[str | None, QueryParameter(max_length=100, description="May be a beginning")] = None,
        subject: Annotated[str | None, QueryParameter(max_length=200)] = None,
    ) -> AuditPage:
        """Who looked at whom and who changed what, the newest first."""
        everywhere(caller)
        place = place_in(cursor, int)
        before = _bounded(place[0]) if place else None
        found = await asyncio.to_thread(
            audit.entries, limit, before=before, actor=actor, action=action, subject=subject
        )
        return AuditPage(found, cursor_of(found[-1].entry_id) if len(found) == limit else None)

    @get("/audit/export", guards=ADMIN)
    async def audit_export(self, audit: Given[Audit], caller: Given[Caller], form: FormatAsked = Format.JSON) -> Stream:
        """The newest entries, as many as 100 000."""
        everywhere(caller)
        rows = await asyncio.to_thread(audit.entries, EXPORTED_ENTRIES)
        return exported(rows, columns_of(AuditEntry), form, name="audit")


def _places(reach: Reach) -> Places:
    return None if reach.places is None else sorted(reach.places)


def _reach(places: Places) -> Reach:
    if places is not None and (len(places) > MOST_PLACES or any(len(place) > 300 for place in places)):
        raise ValidationException(f"A reach names at most {MOST_PLACES} cameras and nodes.")
    return Reach.of(places)


def _role(word: str) -> Role:
    try:
        return Role.of(word)
    except ValueError as error:
        raise ValidationException("A role is viewer, operator or admin.") from error


def _permits(words: list[str]) -> frozenset[Permit]:
    try:
        return frozenset(Permit(word) for word in words)
    except ValueError as error:
        raise ValidationException(f"A permit is one of {', '.join(Permit)}.") from error


def _bounded(number: Any) -> int:
    return max(0, min(int(number), 2**31 - 1))
