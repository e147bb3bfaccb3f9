"""Fetch a file so that an interrupted transfer goes on where it stopped."""

import shutil
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ruid_tools.errors import ToolError

_TIMEOUT_S = 30.0
_PIECE_BYTES = 1 << 16
_MOST_BYTES = 512 << 20


class DownloadError(ToolError):
    """A file cannot be fetched; `reason` says why."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.url} cannot be fetched: {self.reason}"


def fetch(url: str, partial: Path, *, most_bytes: int = _MOST_BYTES) -> None:
    """Fetch `url` into `partial`; what is there already is kept and the rest asked for.

    Raises `DownloadError` where the server refuses, the transfer breaks off, or the file is larger than `most_bytes`.
    What has arrived stays in `partial`, for the next attempt.
    """
    there = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})  # noqa: S310 - checked
    if not url.startswith(("https://", "http://")):
        raise DownloadError(url, "only https:// and http:// are fetched")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - checked above
            _take(answer, partial, url, goes_on=answer.status == HTTPStatus.PARTIAL_CONTENT, most_bytes=most_bytes)
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not there:
            raise DownloadError(url, f"the server answers {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DownloadError(url, f"{reason or type(error).__name__}; run it again to go on") from error


def _take(answer: Any, partial: Path, url: str, *, goes_on: bool, most_bytes: int) -> None:
    """Append the answer to what is there, or begin anew where the server gives the whole file."""
    length = answer.headers.get("Content-Length")
    there = partial.stat().st_size if goes_on else 0
    if length is not None and there + int(length) > most_bytes:
        raise DownloadError(url, f"it is larger than {most_bytes >> 20} MiB")
    with partial.open("ab" if goes_on else "wb") as file:
        shutil.copyfileobj(answer, file, _PIECE_BYTES)
    arrived = partial.stat().st_size - there
    if length is not None and arrived < int(length):
        raise DownloadError(url, f"it broke off after {there + arrived} bytes; run it again to go on")
