"""What is going on, in a few lines of a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_STATE_STYLE = {"up": "green", "down": "bold red", "ended": "dim", "never": "dim"}


def status_lines(site: dict[str, Any], *, url: str, troubles: list[str]) -> RenderableType:
    """Return one line for the site and one per camera, from the hub's live picture."""
    people, unique = site["people_now"], site["unique"]
    headline = Text.assemble(
        (f" {people} ", "bold reverse"), f" in view now, {_different(unique['count'])} so far   ", (url, "cyan")
    )
    table = Table.grid(padding=(0, 2))
    for camera in site["cameras"]:
        table.add_row(*_camera_cells(camera))
    return Group(headline, table, *(Text(trouble, style="yellow") for trouble in troubles))


def status_text(site: dict[str, Any], *, troubles: list[str]) -> str:
    """Return the same as one plain line, for logs."""
    cameras = ", ".join(
        f"{camera['name']} {camera['state']} {_people(camera['people_now'])} {camera['fps'] or 0:.0f} fps"
        for camera in site["cameras"]
    )
    counts = f"{site['people_now']} in view, {_different(site['unique']['count'])} so far"
    return "; ".join([counts, cameras or "no camera yet", *troubles])


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _different(count: int) -> str:
    return "1 person" if count == 1 else f"{count} different people"


def _camera_cells(camera: dict[str, Any]) -> tuple[RenderableType, ...]:
    state = camera["state"]
    latency = camera["latency"]
    dropped = sum(frames for _, frames in camera["drops"])
    return (
        Text(f" {camera['name']}"),
        Text(state, style=_STATE_STYLE.get(state, "")),
        Text(_people(camera["people_now"])),
        Text(f"{camera['fps'] or 0:.1f} fps"),
        Text(f"identity after {latency['p50_ms']} ms" if latency else ""),
        Text(f"{dropped} {'frame' if dropped == 1 else 'frames'} skipped" if dropped else "", style="yellow"),
        Text(camera["reason"] or "", style="red"),
    )
