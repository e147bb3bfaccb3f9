"""Lists that come in pages: an opaque cursor says where the next one begins."""

import base64
import binascii
import json
from typing import Annotated, Any

from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=500, description="Rows of a page, at most")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=200, description="`next` of the page before; without it the first page")
]


def cursor_of(*place: float | str | None) -> str:
    """A cursor for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def place_in(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The place that `cursor_of` made a cursor of; None for the beginning. Raises ValidationException."""
    if cursor is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place, list) or len(place) != len(kinds):  # pyright: ignore[reportUnknownArgumentType]
            raise ValidationException("This cursor is not one of ours.")
        return tuple(kind(part) for kind, part in zip(kinds, place, strict=True))  # pyright: ignore
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise ValidationException("This cursor is not one of ours.") from error
