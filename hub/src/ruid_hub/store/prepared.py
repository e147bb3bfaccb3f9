"""A statement as the driver takes it: its text is built once, and its rows go in as plain tuples, many at a time.

To name, convert and place each row's values anew, as SQLAlchemy does, takes longer than the database itself; and the
driver lets go of Python's lock for every statement, which another thread may keep for a while each time.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.dialects.sqlite import pysqlite

Values = dict[str, Any]

ROWS_AT_ONCE = 32
"""Rows of one statement. Each number of rows is a text of its own, which the driver keeps prepared."""


class Prepared:
    """An insert with its `columns`; `write` gives what it returns."""

    def __init__(self, statement: Insert, *, dialect: str, columns: Iterable[str]) -> None:
        text, self._tuple_of = _compiled(statement, dialect, list(columns))
        self._before, self._row, self._after = _around_values(text)
        self._texts: dict[int, str] = {}

    def write(self, connection: Connection, rows: Sequence[Values]) -> list[Any]:
        """Insert the rows and return what the statement returns of each that it took, in no certain order."""
        returned: list[Any] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            values = tuple(chain.from_iterable(map(self._tuple_of, some)))
            outcome = connection.exec_driver_sql(self._text(len(some)), values)
            if outcome.returns_rows:
                returned.extend(outcome.all())
        return returned

    def _text(self, rows: int) -> str:
        if rows not in self._texts:
            self._texts[rows] = self._before + ", ".join([self._row] * rows) + self._after
        return self._texts[rows]


class PreparedUpdate:
    """An update by the values that it names."""

    def __init__(self, statement: Update, *, dialect: str) -> None:
        self._text, self._tuple_of = _compiled(statement, dialect, None)

    def write(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Make it once for each of the rows."""
        if rows:
            connection.exec_driver_sql(self._text, list(map(self._tuple_of, rows)))


def _compiled(
    statement: Insert | Update, dialect: str, columns: list[str] | None
) -> tuple[str, Callable[[Values], tuple[Any, ...]]]:
    compiled: Any = statement.compile(dialect=_positional(dialect), column_keys=columns, for_executemany=True)
    return compiled.string, itemgetter(*compiled.positiontup)


@cache
def _positional(dialect: str) -> Dialect:
    if dialect == "postgresql":
        return psycopg.dialect(paramstyle="format")
    return pysqlite.dialect(paramstyle="qmark")


def _around_values(text: str) -> tuple[str, str, str]:
    """What stands before the row of an insert, the row, and what stands behind it."""
    start = text.index(" VALUES (") + len(" VALUES ")
    depth, end = 1, start + 1
    while depth:
        depth += (text[end] == "(") - (text[end] == ")")
        end += 1
    return text[:start], text[start:end], text[end:]
