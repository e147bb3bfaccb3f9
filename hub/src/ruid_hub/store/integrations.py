"""Integrations that are set in the browser: rows in, rows out.

Each function works on a connection that `Store.reading` or `Store.writing` gave.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from ruid_hub.store.dialects import insert
from ruid_hub.store.tables.integrations import integrations


@dataclass(frozen=True, slots=True)
class IntegrationRow:
    """`plain` is what may be shown; `sealed` holds the secrets, unreadable without the key of the state folder."""

    name: str
    plain: Mapping[str, str]
    sealed: bytes
    changed_at_s: float
    changed_by: str


def all_integrations(connection: Connection) -> list[IntegrationRow]:
    """By name."""
    return [_row(row) for row in connection.execute(select(integrations).order_by(integrations.c.name))]


def write_integration(connection: Connection, row: IntegrationRow) -> None:
    """Keep it in the place of what was kept under its name."""
    values: dict[str, Any] = {
        "plain": json.dumps(dict(row.plain), ensure_ascii=False),
        "sealed": row.sealed,
        "changed_at_s": row.changed_at_s,
        "changed_by": row.changed_by,
    }
    statement = insert(connection, integrations).values(name=row.name, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def remove_integration(connection: Connection, name: str) -> bool:
    """Whether it was there."""
    return bool(connection.execute(delete(integrations).where(integrations.c.name == name)).rowcount)


def _row(row: Row[Any]) -> IntegrationRow:
    return IntegrationRow(row.name, json.loads(row.plain), row.sealed, row.changed_at_s, row.changed_by)
