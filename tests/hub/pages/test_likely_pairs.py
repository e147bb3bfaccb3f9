"""How many pairs wait for an answer is said as it is known: a page of them, and whether there are others."""

from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from access_fakes import owner_of
from api_fakes import whole_hub
from hub_fakes import NOON_S, row
from ruid_hub.hand import OperatorHand, Suggestion
from ruid_hub.pages.people import SUGGESTIONS
from ruid_hub.store import open_store


async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alike: int) -> tuple[str, str]:
    """The page of people, and that of pairs, where so many look like Zoe."""
    found = [Suggestion("zoe", f"like{number}", 0.5, 0.5) for number in range(alike)]

    async def suggestions(_: OperatorHand, limit: int = 20) -> list[Suggestion]:
        return found[:limit]

    monkeypatch.setattr(OperatorHand, "suggestions", suggestions)
    store = open_store(tmp_path / "hub.db")
    app = await whole_hub(store, tmp_path)
    people = ["zoe", *(f"like{number}" for number in range(alike))]
    store.commit([row(100 + seq, who, track_id=100 + seq, at_s=NOON_S + seq) for seq, who in enumerate(people)])
    async with AsyncTestClient(app) as client:
        client.cookies.update(owner_of(app.state.access).cookies)
        pages = (await client.get("/people")).text, (await client.get("/people/review")).text
    store.close()
    return pages


async def test_a_page_that_holds_all_pairs_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    people, review = await told(tmp_path, monkeypatch, alike=SUGGESTIONS)
    assert "Review 20 likely pairs" in people
    assert review.count('data-testid="pair"') == SUGGESTIONS
    assert "others come up" not in review


async def test_a_page_that_does_not_hold_all_pairs_claims_no_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    people, review = await told(tmp_path, monkeypatch, alike=SUGGESTIONS + 5)
    assert "Review the 20 likeliest pairs" in people
    assert review.count('data-testid="pair"') == SUGGESTIONS
    assert "others come up" in review
