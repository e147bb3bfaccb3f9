"""Users, sessions, tokens, the audit, and what is set in the browser: rows in, rows out.

Each function works on a connection that `Store.reading` or `Store.writing` gave.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, select, tuple_, update

from ruid_hub.store.dialects import insert
from ruid_hub.store.tables.access import audit, hub_settings, sessions, tokens, users
from ruid_hub.store.tables.counts import sites
from ruid_hub.store.tables.observations import cameras, identities, observations

Places = tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class UserRow:
    """`reach` is None for everything; `password_hash` None where a password would not help."""

    user_key: int
    name: str
    role: str
    reach: Places
    password_hash: str | None
    created_at_s: float
    signed_in_at_s: float | None
    subject: str | None
    """Who they are to an identity provider; None for the hub's own users."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser that is signed in."""

    session_key: int
    user_key: int
    created_at_s: float
    seen_at_s: float
    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An API token with its owner's name."""

    token_key: int
    user_key: int
    owner: str
    name: str
    permits: tuple[str, ...]
    created_at_s: float
    expires_at_s: float | None
    used_at_s: float | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what to whom, and how they were known."""

    entry_id: int
    at_s: float
    actor: str
    way: str
    action: str
    subject: str
    detail: Mapping[str, Any]


# --- users ---------------------------------------------------------------------------------------------


def has_users(connection: Connection) -> bool:
    """Whether the hub has been set up."""
    return bool(connection.scalar(select(exists().select_from(users))))


def add_user(
    connection: Connection,
    *,
    name: str,
    role: str,
    reach: Places,
    password_hash: str | None,
    at_s: float,
    subject: str | None = None,
) -> int | None:
    """The new user's key; None where the name is taken."""
    values = {
        "name": name,
        "role": role,
        "reach": _places_text(reach),
        "password_hash": password_hash,
        "created_at_s": at_s,
        "subject": subject,
    }
    statement = insert(connection, users).values(values).on_conflict_do_nothing().returning(users.c.user_key)
    return connection.scalar(statement)


def user_by_name(connection: Connection, name: str) -> UserRow | None:
    """None where there is no such user."""
    row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    return None if row is None else _user(row)


def user_by_subject(connection: Connection, subject: str) -> UserRow | None:
    """None where the provider's subject has never been here."""
    row = connection.execute(select(users).where(users.c.subject == subject)).one_or_none()
    return None if row is None else _user(row)


def user_by_key(connection: Connection, user_key: int) -> UserRow | None:
    """None where there is no such user."""
    row = connection.execute(select(users).where(users.c.user_key == user_key)).one_or_none()
    return None if row is None else _user(row)


def all_users(connection: Connection) -> list[UserRow]:
    """By name."""
    return [_user(row) for row in connection.execute(select(users).order_by(users.c.name))]


def change_user(connection: Connection, user_key: int, *, role: str, reach: Places) -> None:
    """Give a user another role or reach."""
    values = {"role": role, "reach": _places_text(reach)}
    connection.execute(update(users).where(users.c.user_key == user_key).values(values))


def set_password(connection: Connection, user_key: int, password_hash: str) -> None:
    """A new password, and every session of the user ends."""
    connection.execute(update(users).where(users.c.user_key == user_key).values(password_hash=password_hash))
    connection.execute(delete(sessions).where(sessions.c.user_key == user_key))


def remove_user(connection: Connection, user_key: int) -> None:
    """With their sessions and tokens."""
    for table in (sessions, tokens, users):
        connection.execute(delete(table).where(table.c.user_key == user_key))


# --- sessions ------------------------------------------------------------------------------------------


def add_session(
    connection: Connection, *, digest: bytes, user_key: int, at_s: float, address: str, browser: str, keep: int
) -> int:
    """The new session's key; the user's oldest sessions go where there would be more than `keep`."""
    values = {
        "digest": digest,
        "user_key": user_key,
        "created_at_s": at_s,
        "seen_at_s": at_s,
        "address": address,
        "browser": browser,
    }
    statement = insert(connection, sessions).values(values).returning(sessions.c.session_key)
    key = connection.execute(statement).scalar_one()
    kept = select(sessions.c.session_key).where(sessions.c.user_key == user_key)
    newest = kept.order_by(sessions.c.seen_at_s.desc(), sessions.c.session_key.desc()).limit(keep)
    connection.execute(
        delete(sessions).where(sessions.c.user_key == user_key, sessions.c.session_key.not_in(newest.scalar_subquery()))
    )
    connection.execute(update(users).where(users.c.user_key == user_key).values(signed_in_at_s=at_s))
    return key


def session_by_digest(connection: Connection, digest: bytes) -> tuple[SessionRow, UserRow] | None:
    """A session and whose it is."""
    row = connection.execute(select(sessions).where(sessions.c.digest == digest)).one_or_none()
    user = None if row is None else user_by_key(connection, row.user_key)
    return None if row is None or user is None else (_session(row), user)


def sessions_of(connection: Connection, user_key: int) -> list[SessionRow]:
    """The last seen first."""
    query = select(sessions).where(sessions.c.user_key == user_key).order_by(sessions.c.seen_at_s.desc())
    return [_session(row) for row in connection.execute(query)]


def session_seen(connection: Connection, session_key: int, at_s: float) -> None:
    """Somebody is still there."""
    connection.execute(update(sessions).where(sessions.c.session_key == session_key).values(seen_at_s=at_s))


def end_session(connection: Connection, session_key: int, user_key: int) -> bool:
    """Whether the user had such a session."""
    ended = delete(sessions).where(sessions.c.session_key == session_key, sessions.c.user_key == user_key)
    return bool(connection.execute(ended).rowcount)


def end_old_sessions(connection: Connection, *, created_before_s: float, seen_before_s: float) -> None:
    """Sessions that nobody can use any more."""
    old = (sessions.c.created_at_s < created_before_s) | (sessions.c.seen_at_s < seen_before_s)
    connection.execute(delete(sessions).where(old))


# --- tokens --------------------------------------------------------------------------------------------


def add_token(
    connection: Connection,
    *,
    digest: bytes,
    user_key: int,
    name: str,
    permits: Iterable[str],
    at_s: float,
    expires_at_s: float | None,
) -> int:
    """The new token's key."""
    values = {
        "digest": digest,
        "user_key": user_key,
        "name": name,
        "permits": json.dumps(sorted(permits)),
        "created_at_s": at_s,
        "expires_at_s": expires_at_s,
    }
    statement = insert(connection, tokens).values(values).returning(tokens.c.token_key)
    return connection.execute(statement).scalar_one()


def token_by_digest(connection: Connection, digest: bytes) -> tuple[TokenRow, UserRow] | None:
    """A token and whose it is."""
    row = connection.execute(_tokens().where(tokens.c.digest == digest)).one_or_none()
    user = None if row is None else user_by_key(connection, row.user_key)
    return None if row is None or user is None else (_token(row), user)


def token_by_key(connection: Connection, token_key: int) -> TokenRow | None:
    """None where there is no such token."""
    row = connection.execute(_tokens().where(tokens.c.token_key == token_key)).one_or_none()
    return None if row is None else _token(row)


def all_tokens(connection: Connection) -> list[TokenRow]:
    """The newest first."""
    return [_token(row) for row in connection.execute(_tokens().order_by(tokens.c.token_key.desc()))]


def token_used(connection: Connection, token_key: int, at_s: float) -> None:
    """Somebody uses it."""
    connection.execute(update(tokens).where(tokens.c.token_key == token_key).values(used_at_s=at_s))


def revoke_token(connection: Connection, token_key: int) -> bool:
    """Whether there was such a token."""
    return bool(connection.execute(delete(tokens).where(tokens.c.token_key == token_key)).rowcount)


# --- audit ---------------------------------------------------------------------------------------------


def record(
    connection: Connection, *, at_s: float, actor: str, way: str, action: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """One entry."""
    values = {
        "at_s": at_s,
        "actor": actor,
        "way": way,
        "action": action,
        "subject": subject,
        "detail": json.dumps(detail, ensure_ascii=False),
    }
    connection.execute(insert(connection, audit).values(values))


def audit_entries(
    connection: Connection,
    *,
    limit: int,
    before: int | None = None,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
) -> list[AuditRow]:
    """The newest first; `before` is the last entry of the page before, `action` and `subject` may be beginnings."""
    query = select(audit).order_by(audit.c.entry_id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.entry_id < before)
    if actor is not None:
        query = query.where(audit.c.actor == actor)
    if action is not None:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    if subject is not None:
        query = query.where(audit.c.subject.startswith(subject, autoescape=True))
    return [_entry(row) for row in connection.execute(query)]


def forget_audit(connection: Connection, *, before_s: float, keep: int) -> None:
    """Entries from before a time go, and the oldest of more than `keep`."""
    newest = connection.scalar(select(func.max(audit.c.entry_id))) or 0
    connection.execute(delete(audit).where((audit.c.at_s < before_s) | (audit.c.entry_id <= newest - keep)))


# --- what is set in the browser ------------------------------------------------------------------------


def read_setting(connection: Connection, name: str) -> Any:
    """The value, None where nothing was set."""
    text = connection.scalar(select(hub_settings.c.value).where(hub_settings.c.name == name))
    return None if text is None else json.loads(text)


def write_setting(connection: Connection, name: str, value: object) -> None:
    """Keep a value that JSON can hold."""
    text = json.dumps(value, ensure_ascii=False)
    statement = insert(connection, hub_settings).values(name=name, value=text)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": text}))


# --- objects ------------------------------------------------------------------------------------------


def place_of(connection: Connection, observation_id: int) -> tuple[str, str | None] | None:
    """The camera and the identity of an observation: what decides who may see its picture."""
    query = (
        select(cameras.c.camera, identities.c.identity_id)
        .join(observations, observations.c.camera_key == cameras.c.camera_key)
        .outerjoin(identities, identities.c.identity_key == observations.c.identity_key)
        .where(observations.c.observation_id == observation_id)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.camera, row.identity_id)


def cameras_of_sites(connection: Connection, site_ids: Iterable[str]) -> list[str]:
    """Every camera that belongs to one of the sites."""
    query = (
        select(cameras.c.camera)
        .join(sites, sites.c.site_key == cameras.c.site_key)
        .where(sites.c.site_id.in_(sorted(site_ids)))
    )
    return list(connection.scalars(query))


@dataclass(frozen=True, slots=True)
class SightingExport:
    """One track as it is exported; `identity_id` and `name` are empty while nobody knows who it is."""

    site_name: str
    camera: str
    camera_name: str
    boot_epoch: int
    track_id: int
    observation_id: int
    from_s: float
    to_s: float
    identity_id: str
    name: str
    state: str
    probability: float


EXPORT_ROWS = 2000


def sighting_rows(
    connection: Connection, *, from_s: float, to_s: float, allowed: frozenset[str] | None
) -> Iterator[SightingExport]:
    """The last parts of tracks that ended in a period, by their end; read in pieces, so that memory stays flat."""
    query = (
        select(
            observations,
            cameras.c.camera,
            cameras.c.name.label("camera_name"),
            sites.c.name.label("site_name"),
            identities.c.identity_id,
            identities.c.label,
        )
        .join(cameras, cameras.c.camera_key == observations.c.camera_key)
        .join(sites, sites.c.site_key == cameras.c.site_key)
        .outerjoin(identities, identities.c.identity_key == observations.c.identity_key)
        .where(observations.c.ended_at_s >= from_s, observations.c.ended_at_s < to_s, observations.c.final)
        .order_by(observations.c.ended_at_s, observations.c.observation_id)
        .limit(EXPORT_ROWS)
    )
    if allowed is not None:
        query = query.where(cameras.c.camera.in_(sorted(allowed)))
    after: tuple[float, int] | None = None
    while True:
        place = tuple_(observations.c.ended_at_s, observations.c.observation_id)
        rows = connection.execute(query if after is None else query.where(place > after)).all()
        yield from (_sighting(row) for row in rows)
        if len(rows) < EXPORT_ROWS:
            return
        after = (rows[-1].ended_at_s, rows[-1].observation_id)


# --- parts ---------------------------------------------------------------------------------------------


def _tokens() -> Select[Any]:
    return select(tokens, users.c.name.label("owner")).join(users, users.c.user_key == tokens.c.user_key)


def _user(row: Row[Any]) -> UserRow:
    return UserRow(
        row.user_key,
        row.name,
        row.role,
        None if row.reach is None else tuple(json.loads(row.reach)),
        row.password_hash,
        row.created_at_s,
        row.signed_in_at_s,
        row.subject,
    )


def _session(row: Row[Any]) -> SessionRow:
    return SessionRow(row.session_key, row.user_key, row.created_at_s, row.seen_at_s, row.address, row.browser)


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(
        row.token_key,
        row.user_key,
        row.owner,
        row.name,
        tuple(json.loads(row.permits)),
        row.created_at_s,
        row.expires_at_s,
        row.used_at_s,
    )


def _entry(row: Row[Any]) -> AuditRow:
    return AuditRow(row.entry_id, row.at_s, row.actor, row.way, row.action, row.subject, json.loads(row.detail))


def _places_text(reach: Places) -> str | None:
    return None if reach is None else json.dumps(sorted(reach))


def _sighting(row: Row[Any]) -> SightingExport:
    return SightingExport(
        site_name=row.site_name,
        camera=row.camera,
        camera_name=row.camera_name,
        boot_epoch=row.boot_epoch,
        track_id=row.track_id,
        observation_id=row.observation_id,
        from_s=row.started_at_s,
        to_s=row.ended_at_s,
        identity_id=row.identity_id or "",
        name=row.label or "",
        state=row.assignment_state or "",
        probability=row.assignment_probability or 0.0,
    )
