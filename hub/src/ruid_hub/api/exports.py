"""Rows as JSON or CSV, one after the other, however many there are."""

import csv
import dataclasses
import io
import itertools
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter
from litestar.response import Stream

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
CHUNK_ROWS = 500


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    CSV = "csv"


FormatAsked = Annotated[Format, QueryParameter(name="format", description="json (default) or csv")]


def exported(rows: Iterable[Any], columns: tuple[str, ...], form: Format, *, name: str) -> Stream:
    """Rows (dataclasses) with these of their fields, as a download; CSV has moments as ISO 8601 too."""
    written = _csv(rows, columns) if form is Format.CSV else _json(rows, columns)
    media_type = "text/csv; charset=utf-8" if form is Format.CSV else "application/json"
    return Stream(
        written,
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{form.value}"',
            "Cache-Control": "no-store",
        },
    )


def cell(value: object) -> str:
    """One cell: text that a spreadsheet would take for a formula gets a quote before it."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
    if isinstance(value, tuple | list):
        return cell("; ".join(str(part) for part in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return "" if value is None else str(value)


def moment(at_s: float) -> str:
    """UTC as ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _csv(rows: Iterable[Any], columns: tuple[str, ...]) -> Iterator[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(itertools.chain.from_iterable(_headings(column) for column in columns))
    for chunk in _chunks(rows):
        for row in chunk:
            writer.writerow(itertools.chain.from_iterable(_cells(column, getattr(row, column)) for column in columns))
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()
    yield out.getvalue().encode()


def _headings(column: str) -> tuple[str, ...]:
    return (column, f"{column.removesuffix('_s')}_utc") if _is_moment(column) else (column,)


def _cells(column: str, value: Any) -> tuple[str, ...]:
    return (cell(value), "" if value is None else moment(value)) if _is_moment(column) else (cell(value),)


def _is_moment(column: str) -> bool:
    return column in {"at_s", "from_s", "to_s", "first_s", "last_s", "first_seen_s", "last_seen_s"}


def _json(rows: Iterable[Any], columns: tuple[str, ...]) -> Iterator[bytes]:
    yield b"["
    first = True
    for chunk in _chunks(rows):
        written = b",\n".join(msgspec.json.encode({name: getattr(row, name) for name in columns}) for row in chunk)
        yield written if first else b",\n" + written
        first = False
    yield b"]\n"


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, CHUNK_ROWS)):
        yield chunk


def columns_of(kind: type[Any]) -> tuple[str, ...]:
    """All fields of a row's dataclass."""
    return tuple(field.name for field in dataclasses.fields(kind))
