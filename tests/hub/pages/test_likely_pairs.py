"""How many pairs wait for an answer is said as it is known: a page of them, and whether there are others."""

from pathlib import Path

import pytest
from litestar.testing import AsyncTestClient

from access_fakes import owner_of
from api_fakes import whole_hub
from hub_fakes import NOON_S, row
from ruid_hub.hand import Operation, OperationKind, OperatorHand, Suggestion, UnknownPerson
from ruid_hub.pages.people import LEAST_LIKELY, SUGGESTIONS
from ruid_hub.store import open_store


async def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alike: int, probability: float = 0.5
) -> tuple[str, str]:
    """The page of people, and that of pairs, where so many look like Zoe."""
    found = [Suggestion("zoe", f"like{number}", 0.5, probability) for number in range(alike)]

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


async def test_nobody_is_asked_about_pairs_that_are_hardly_one_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    people, review = await told(tmp_path, monkeypatch, alike=3, probability=LEAST_LIKELY / 2)
    assert "review-link" not in people
    assert 'data-testid="no-pairs"' in review


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (["ada:bob", "ada:gone"], "1 pair answered. Each can be undone on the page of the person. Of 1 it was refused"),
        (["ada:gone", "ada:bob", "bob:ada"], "2 pairs answered."),
        (["ada:gone"], "The hub knows them by another name by now"),
        (["ada:bob"], "Ada and Bob are two people"),
        ([], "Choose somebody first."),
    ],
)
async def test_a_pair_that_is_out_of_date_keeps_no_other_from_being_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[str], said: str
):
    async def decide(_: OperatorHand, first_id: str, second_id: str, actor: str, *, same: bool) -> Operation:
        if second_id == "gone":
            raise UnknownPerson(second_id)
        words = "ada and Bob are two people"
        return Operation(1, OperationKind.DIFFERENT, actor, NOON_S, first_id, second_id, (), words, undoable=True)

    monkeypatch.setattr(OperatorHand, "decide_suggestion", decide)
    page = await answered(tmp_path, "/people/review", {"answer": "different", "pair": chosen})
    assert said in page
    assert "gone" not in page


async def test_several_who_look_alike_become_one_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    merged: list[tuple[str, str]] = []

    async def decide(_: OperatorHand, first_id: str, second_id: str, actor: str, *, same: bool) -> Operation:
        assert same
        merged.append((first_id, second_id))
        words = f"{second_id} is {first_id}"
        return Operation(7, OperationKind.MERGE, actor, NOON_S, first_id, second_id, (), words, undoable=True)

    monkeypatch.setattr(OperatorHand, "decide_suggestion", decide)
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
    page = await answered(first, "/people/ada/merge", {"chosen": ["bob", "carol"]})
    assert "2 pairs answered." in page
    page = await answered(second, "/people/ada/merge", {"chosen": ["bob", "carol"], "other": "bob"})
    assert merged == [("ada", "bob"), ("ada", "carol"), ("ada", "bob")]
    assert "Bob is ada" in page
    assert 'action="/operations/7/undo"' in page
    assert 'data-testid="lookalikes-page"' in page


async def answered(folder: Path, path: str, form: dict[str, str | list[str]]) -> str:
    """The page that follows a form."""
    store = open_store(folder / "hub.db")
    app = await whole_hub(store, folder)
    async with AsyncTestClient(app) as client:
        owner = owner_of(app.state.access)
        client.cookies.update(owner.cookies)
        page = await client.post(path, data={**form, "_csrf": owner.csrf}, follow_redirects=True)
    store.close()
    return page.text
