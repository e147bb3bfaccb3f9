"""The trail is in plain words."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import AsyncTestClient

from api_fakes import whole_hub
from hub_fakes import NOON_S
from ruid_hub import __version__
from ruid_hub.access import AccessMode, AuditEntry
from ruid_hub.hand import OperationKind
from ruid_hub.pages.audit import WORDS, besides, in_words
from ruid_hub.store import open_store
from tooling import REPOSITORY

WRITTEN = re.compile(r'(?:record, [\w.]+|record\([\w.]+|note\(|audit, caller|action=) ?,? ?"([a-z]+\.[a-z_]+)"')


def test_every_action_that_is_written_down_has_words():
    sources = [path.read_text() for path in (REPOSITORY / "hub" / "src").rglob("*.py")]
    written = {action for source in sources for action in WRITTEN.findall(source)}
    written |= {f"person.{kind.value}" for kind in OperationKind}
    assert len(written) > 35
    assert written - WORDS.keys() == set()


def test_an_action_without_words_is_spelt_out():
    assert in_words("person.new_deed") == "person: new deed"


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"operation_id": 4, "other_id": "fa301e0123ab"}, "and Person FA301E"),
        ({"operation_id": 1, "other_id": None}, ""),
        ({"arrived": False}, "arrived: no"),
        ({"fields": ["url", "user"]}, "fields: url, user"),
        ({"people": 3}, "people: 3"),
    ],
)
def test_what_else_an_entry_tells_is_in_words(detail: dict[str, Any], said: str):
    assert besides(AuditEntry(1, NOON_S, "mara", "session", "person.merge", "bcf60d0123ab", detail)) == said


@pytest.mark.asyncio
async def test_the_trail_of_a_person_is_found_by_what_pages_call_them(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    app = await whole_hub(store, tmp_path, mode=AccessMode.OPEN)
    async with AsyncTestClient(app) as client:
        page = (await client.get("/people/ada")).text
        [onward] = re.findall('href="(/audit[^"]*)"[^>]*looked-at', page)
        await client.get("/people/bob")
        for asked in (onward.replace("&amp;", "&"), "/audit?subject=Person+ADA"):
            trail = (await client.get(asked)).text
            assert trail.count('data-testid="entry"') == 1
            assert 'href="/people/ada"' in trail
    store.close()


@pytest.mark.asyncio
async def test_an_export_says_from_when_to_when(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    app = await whole_hub(store, tmp_path, mode=AccessMode.OPEN)
    clock = app.state.templates.time.clock
    async with AsyncTestClient(app) as client:
        asked = {"from_s": NOON_S - 90_000, "to_s": NOON_S - 3600, "format": "csv"}
        assert (await client.get("/api/v1/visits", params=asked)).status_code == 200
        trail = (await client.get("/audit")).text
    store.close()
    assert f"{clock(NOON_S - 90_000)} to {clock(NOON_S - 3600)}" in trail


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((REPOSITORY / "hub/pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __version__ == project["version"]
