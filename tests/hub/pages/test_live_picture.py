"""Pages read the live picture where it changes: in the event loop. Another thread would meet it half changed."""

from collections.abc import AsyncIterator
from pathlib import Path
from threading import get_ident
from typing import Any, cast

import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.testing import AsyncTestClient

from access_fakes import owner_of
from api_fakes import whole_hub
from ruid_hub.access import Access
from ruid_hub.site import Site, SiteView
from ruid_hub.store import Store, open_store

Client = AsyncTestClient[Litestar]


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest_asyncio.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[Client]:
    app = await whole_hub(store, tmp_path)
    async with AsyncTestClient(app) as client:
        client.cookies.update(owner_of(cast("Access", client.app.state.access)).cookies)
        yield client


@pytest.mark.asyncio
async def test_every_page_reads_it_in_the_event_loop(client: Client, monkeypatch: pytest.MonkeyPatch):
    readers: dict[str, set[int]] = {}
    view = Site.view
    path = ""

    def watched(site: Site, *args: Any, **options: Any) -> SiteView:
        readers.setdefault(path, set()).add(get_ident())
        return view(site, *args, **options)

    monkeypatch.setattr(Site, "view", watched)
    for path in ("/", "/people", "/counts", "/cameras", "/camera?camera=node-1/cam", "/settings"):
        assert (await client.get(path)).status_code == 200
    assert {"/", "/people", "/counts", "/cameras"} <= set(readers)
    assert len(readers["/"]) == 1
    assert set.union(*readers.values()) == readers["/"]
