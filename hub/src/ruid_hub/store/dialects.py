"""What SQLite and PostgreSQL say differently."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case
from sqlalchemy.dialects import postgresql, sqlite

Insert = sqlite.Insert | postgresql.Insert


def insert(connection: Connection, table: Table) -> Insert:
    """An insert that knows `on_conflict_do_nothing` and `on_conflict_do_update` on either database."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: Table) -> Insert:
    """The same, for a dialect by name."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def lesser(first: ColumnElement[Any], second: ColumnElement[Any]) -> ColumnElement[Any]:
    """The smaller of two values; the databases have different names for it."""
    return case((first < second, first), else_=second)


def greater(first: ColumnElement[Any], second: ColumnElement[Any]) -> ColumnElement[Any]:
    """The larger of two values."""
    return case((first > second, first), else_=second)
