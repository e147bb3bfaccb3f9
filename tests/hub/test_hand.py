"""What an operator does is durable, shown, explained, and can be taken back, also after a restart."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import distinct, func, select

from core.wire.builders import hello, tracklet
from fakes import FirstPrototypeEngine
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import pack_embeddings
from ruid_hub.hand import (
    CannotUndo,
    CorrectionsUnavailable,
    HandError,
    InViewTogether,
    LaterOperations,
    LookExpired,
    NothingToChange,
    NotWritten,
    OperationKind,
    OperatorHand,
    Suggestion,
    UnknownOperation,
    UnknownPerson,
    UnknownSighting,
    WrongEmbedding,
    operator,
)
from ruid_hub.hand.corrections import Corrections
from ruid_hub.identities import build_engine
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.observations import TrackKey
from ruid_hub.recognition import ReceivedItem, Recogniser
from ruid_hub.service import HubService
from ruid_hub.site import PersonCard, Site
from ruid_hub.store import Store, StoreWriteError, open_store
from ruid_hub.store.tables import identities, observations

DIM = 32
PEOPLE = np.random.default_rng(3).normal(size=(12, DIM)).astype(np.float32)
FROM_S = time.time() - 7200.0


class Running:
    """A hub without nodes or pages."""

    def __init__(self, store: Store, engine: Any = None) -> None:
        numbers = itertools.count(1)
        made = f"{time.monotonic_ns():x}"
        engine = engine or build_engine("ruid", next_identity_id=lambda: f"{made}-{next(numbers)}")
        self.site, self.store, self.notifier = Site(), store, ChangeNotifier()
        self.closed = False
        self.recogniser = Recogniser(store=store, engine=engine)
        self.service = HubService(
            site=self.site, store=store, recogniser=self.recogniser, notifier=self.notifier, metrics=HubMetrics()
        )

    async def close(self) -> None:
        """Stop the worker; the store stays open."""
        if not self.closed:
            await self.service.close()
        self.closed = True

    @property
    def hand(self) -> OperatorHand:
        return self.service.hand

    async def start(self) -> "Running":
        await self.service.start()
        self.service.connected(hello(), time.time())
        return self

    async def see(self, person: int, *, track_id: int, seq: int, at_s: float) -> str:
        """A sighting of two crops; returns whose it is said to be."""
        row = PEOPLE[person] / np.linalg.norm(PEOPLE[person])
        content = tracklet(
            track_id=track_id,
            part=0,
            final=True,
            started_at_s=FROM_S + at_s,
            ended_at_s=FROM_S + at_s + 1,
            grabbed_at_s=FROM_S + at_s + 1,
            embeddings=pack_embeddings(np.repeat(row[None], 2, axis=0).astype(np.float32)),
            qualities=(1.0, 1.0),
            thumbnail_jpeg=b"\xff\xd8 picture",
        )
        await self.service.commit([ReceivedItem("node1", ItemKey(3, seq), content, time.time(), 0.0)])
        return self.owner(track_id)

    def owner(self, track_id: int) -> str:
        """Whose the track is, by the store."""
        rows = self.store.observations_in_order()
        found = {row.observation.track: row.assignment for row in rows if row.assignment}
        return found[track(track_id)].identity_id

    def cards(self) -> dict[str, PersonCard]:
        return {card.identity_id: card for card in self.site.view(time.time()).people}


def track(track_id: int) -> TrackKey:
    return TrackKey("node1/cam0", 3, track_id)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncGenerator[Running]:
    """Twelve people, each seen twice: person n on the tracks n and 100 + n."""
    store = open_store(tmp_path / "hub.db")
    hub = await Running(store).start()
    for visit in range(2):
        for person in range(12):
            seq = 1 + 12 * visit + person
            await hub.see(person, track_id=100 * visit + person, seq=seq, at_s=100.0 * seq)
    yield hub
    await hub.close()
    store.close()


async def restarted(hub: Running) -> Running:
    await hub.close()
    return await Running(hub.store).start()


def picture(hub: Running) -> dict[str, Any]:
    """What the store says of everybody, and what the engine holds to."""
    rows = hub.store.observations_in_order()
    owners = {str(row.observation.track): row.assignment.identity_id for row in rows if row.assignment}
    people = {one.identity_id: one.label for one in hub.store.recent_identities(100)}
    return {"owners": owners, "people": people}


async def test_a_person_gets_a_name_that_lasts(running: Running) -> None:
    ada = running.owner(0)
    operation = await running.hand.rename(ada, "  Ada ", "olga")
    assert (operation.kind, operation.actor, operation.identity_id) == (OperationKind.RENAME, "olga", ada)
    assert running.cards()[ada].label == "Ada"
    again = await restarted(running)
    assert again.cards()[ada].label == "Ada"
    assert (await again.hand.undo(operation.operation_id, "otto")).undone_by == "otto"
    assert again.cards()[ada].label != "Ada"
    with pytest.raises(NothingToChange):
        await again.hand.rename(ada, "", "olga")
    await again.close()


async def test_merged_people_are_one_on_page_and_disk_and_two_again_when_undone(running: Running) -> None:
    before = picture(running)
    one, other = running.owner(0), running.owner(1)
    operation = await running.hand.merge(one, other, "olga")
    assert {str(key) for key in operation.tracks} == {str(track(1)), str(track(101))}
    assert other not in running.cards()
    assert running.owner(1) == running.owner(101) == one
    assert operation.undoable
    await running.hand.undo(operation.operation_id, "olga")
    assert picture(running) == before
    assert other in running.cards()
    with pytest.raises(CannotUndo, match="undone already"):
        await running.hand.undo(operation.operation_id, "olga")


async def test_every_operation_and_its_undo_survive_restarts(running: Running) -> None:
    before = picture(running)
    owners = [running.owner(number) for number in range(12)]
    done = [
        await running.hand.rename(owners[0], "Ada", "olga"),
        await running.hand.merge(owners[1], owners[0], "olga"),
        await running.hand.split(owners[2], [track(2)], "olga"),
        await running.hand.move(track(3), owners[4], "olga"),
        await running.hand.not_this_person(track(5), owners[5], "olga"),
        await running.hand.decide_suggestion(owners[6], owners[7], "olga", same=False),
        await running.hand.decide_suggestion(owners[8], owners[9], "olga", same=True),
        await running.hand.move(track(10), None, "olga"),
    ]
    after = picture(running)
    assert after["people"][owners[1]] == "Ada"
    hub = await restarted(running)
    assert picture(hub) == after
    hub.recogniser.consolidate(at_s=time.time())
    await hub.see(5, track_id=205, seq=50, at_s=6000.0)
    assert hub.owner(5) != hub.owner(105)
    assert picture(hub)["people"][owners[1]] == "Ada"
    assert [one.operation_id for one in await hub.hand.operations()] == [one.operation_id for one in done[::-1]]
    await hub.hand.move(track(205), None, "olga")
    for operation in await hub.hand.operations():
        await hub.hand.undo(operation.operation_id, "olga")
    owners_now = picture(hub)["owners"]
    assert {key: owner for key, owner in owners_now.items() if key != str(track(205))} == before["owners"]
    await hub.close()


async def test_tracks_whose_look_has_expired_go_along_when_people_are_merged_and_come_back(running: Running) -> None:
    one, other = running.owner(0), running.owner(1)
    await running.hand.rename(other, "Ada", "olga")
    # The first sighting of each is a day old, the second is not.
    running.store.sweep(FROM_S + 100.0 * 12 + 50 + 86_400)
    again = await restarted(running)
    merge = await again.hand.merge(one, other, "olga")
    assert {str(key) for key in merge.tracks} == {str(track(1)), str(track(101))}
    assert tracks_in_store(again) == {one: 4}
    await again.hand.undo(merge.operation_id, "olga")
    assert tracks_in_store(again) == {one: 2, other: 2}
    assert again.cards()[other].label == "Ada"
    # Now neither is remembered.
    again.store.sweep(FROM_S + 3 * 86_400)
    last = await restarted(again)
    today = await last.see(5, track_id=600, seq=600, at_s=3 * 86_400.0)
    with pytest.raises(LookExpired, match="open the other one"):
        await last.hand.merge(one, today, "olga")
    merge = await last.hand.merge(one, other, "olga")
    assert tracks_in_store(last) == {one: 4}
    assert last.cards()[one].label == "Ada"
    await last.hand.undo(merge.operation_id, "olga")
    assert tracks_in_store(last) == {one: 2, other: 2}
    assert {key: card.label for key, card in last.cards().items() if card.label == "Ada"} == {other: "Ada"}
    await last.close()


async def test_two_who_were_in_one_picture_stay_two_when_their_look_has_expired(running: Running) -> None:
    one = await running.see(0, track_id=500, seq=500, at_s=5000.0)
    other = await running.see(1, track_id=501, seq=501, at_s=5000.5)
    running.store.sweep(FROM_S + 3 * 86_400)
    again = await restarted(running)
    with pytest.raises(InViewTogether):
        await again.hand.merge(one, other, "olga")
    with pytest.raises(NothingToChange):
        await again.hand.merge(one, one, "olga")
    await again.close()


def tracks_in_store(hub: Running) -> dict[str, int]:
    """How many tracks the first two people have."""
    with hub.store.reading() as connection:
        query = select(identities.c.identity_id, func.count(distinct(observations.c.track_id))).join_from(
            observations, identities
        )
        chosen = query.where(observations.c.track_id.in_([0, 1, 100, 101])).group_by(identities.c.identity_id)
        return {identity_id: tracks for identity_id, tracks in connection.execute(chosen)}


async def test_what_rests_on_an_operation_is_named(running: Running) -> None:
    one, other, third = (running.owner(number) for number in range(3))
    merge = await running.hand.merge(one, other, "olga")
    move = await running.hand.move(track(1), third, "olga")
    newest, older = await running.hand.operations()
    assert (newest.undoable, older.undoable) == (True, False)
    with pytest.raises(LaterOperations, match=f"undo {move.operation_id} first"):
        await running.hand.undo(merge.operation_id, "olga")
    assert [one.operation_id for one in await running.hand.operations(1, before=move.operation_id)] == [
        merge.operation_id
    ]


async def test_a_track_is_explained_with_its_history(running: Running) -> None:
    owner, other = running.owner(3), running.owner(4)
    await running.hand.move(track(3), other, "olga")
    await running.hand.rename(owner, "Ada", "olga")
    told = await running.hand.explain(track(3))
    assert told.identity_id == other
    assert told.nearest[0].track == track(103)
    assert [(one.identity_id, one.cause) for one in told.previous] == [(owner, "move")]
    assert {"operator", "price"} <= {one.kind for one in told.spoke}
    nobody = await running.hand.explain(track(7))
    assert nobody.previous == ()
    with pytest.raises(UnknownSighting):
        await running.hand.explain(track(999))


async def test_whom_tracks_belonged_to_is_forgotten_with_the_rest_of_history(running: Running) -> None:
    await running.hand.move(track(3), running.owner(4), "olga")
    assert running.recogniser.corrections.sweep() == 0
    late = Recogniser(store=running.store, engine=FirstPrototypeEngine(), clock=lambda: time.time() + 1e9)
    assert late.corrections.sweep() == 1


async def test_people_are_found_by_their_looks(running: Running) -> None:
    owner = running.owner(3)
    await running.hand.rename(owner, "Ada", "olga")
    found = await running.hand.search_by_embedding(PEOPLE[3] / np.float32(np.linalg.norm(PEOPLE[3])), 2)
    assert (found[0].identity_id, found[0].label) == (owner, "Ada")
    assert len(await running.hand.similar(owner, 4)) == 4
    with pytest.raises(WrongEmbedding, match="32 values"):
        await running.hand.search_by_embedding(PEOPLE[3][:5])


async def test_who_may_be_one_is_asked_until_it_is_answered(running: Running) -> None:
    owner = running.owner(0)
    split = await running.hand.split(owner, [track(0)], "olga")
    await running.hand.undo(split.operation_id, "olga")
    await running.hand.move(track(0), None, "olga")
    pairs = [(one.first_id, one.second_id) for one in await running.hand.suggestions(50)]
    assert {owner, running.owner(0)} not in [set(pair) for pair in pairs]
    for one, other in pairs:
        await running.hand.decide_suggestion(one, other, "olga", same=False)
    assert await running.hand.suggestions() == []


async def test_suggestions_are_looked_for_once_a_thought_however_many_ask(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    look = Corrections.suggestions

    def counted(self: Corrections, limit: int) -> list[Suggestion]:
        looked.append(limit)
        return look(self, limit)

    monkeypatch.setattr(Corrections, "suggestions", counted)
    first = await running.hand.suggestions(20)
    assert await running.hand.suggestions(20) == first
    assert await running.hand.suggestions(5) == first[:5]
    assert looked == [20]
    await running.hand.suggestions(21)
    running.hand.reconsider()
    await running.hand.suggestions(20)
    assert looked == [20, 21]
    monkeypatch.setattr(operator, "RECONSIDERED_EVERY_S", 0.0)
    await running.hand.suggestions(20)
    await running.hand.rename(running.owner(0), "Ada", "olga")
    await running.hand.suggestions(20)
    assert looked == [20, 21, 20, 20]


async def test_an_erased_person_leaves_nothing_but_a_number(running: Running) -> None:
    owner = running.owner(0)
    await running.hand.rename(owner, "Ada", "olga")
    kept, merged = running.owner(1), running.owner(2)
    await running.hand.merge(kept, merged, "olga")
    erased = await running.hand.erase(owner, "olga")
    assert (erased.observations, erased.embeddings, erased.thumbnails) == (2, 2, 2)
    assert owner not in running.cards()
    texts = [one.text for one in await running.hand.operations()]
    assert not any("Ada" in text for text in texts)
    newest = (await running.hand.operations())[0]
    assert (newest.kind, newest.undoable) == (OperationKind.ERASE, False)
    with pytest.raises(CannotUndo, match="for good"):
        await running.hand.undo(newest.operation_id, "olga")
    with pytest.raises(UnknownPerson):
        await running.hand.erase(owner, "olga")
    assert running.store.counts().observations == 24
    again = await restarted(running)
    assert again.owner(2) == again.owner(1)
    await again.close()


async def test_of_an_erased_person_no_former_name_is_left_in_the_files(running: Running, tmp_path: Path) -> None:
    kept, merged = running.owner(1), running.owner(2)
    await running.hand.rename(merged, "Hildegard", "olga")
    await running.hand.rename(kept, "Clara", "olga")
    await running.hand.merge(kept, merged, "olga")
    last = running.owner(3)
    await running.hand.merge(last, kept, "olga")

    def left() -> list[bytes]:
        files = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
        return [name for name in (b"Hildegard", b"Clara") if name in files]

    assert left() == [b"Hildegard", b"Clara"]
    await running.hand.erase(last, "olga")
    assert left() == []


async def test_the_trail_of_names_goes_with_the_history(running: Running) -> None:
    await running.hand.rename(running.owner(0), "Ada", "olga")
    await running.hand.merge(running.owner(1), running.owner(2), "olga")
    day_s, history_s = 86_400.0, running.store.retention.history_s
    assert running.store.sweep(time.time() + 2 * day_s).operations == 0
    assert running.store.sweep(time.time() + history_s + day_s).operations == 2
    assert running.store.recent_identities(9) == []


async def test_somebody_whose_look_has_expired_can_still_be_named_and_erased(running: Running) -> None:
    owner = running.owner(0)
    running.store.sweep(time.time() + 100_000.0)
    again = await restarted(running)
    await again.hand.rename(owner, "Ada", "olga")
    assert again.cards()[owner].label == "Ada"
    with pytest.raises(NothingToChange):
        await again.hand.rename(owner, "Ada", "olga")
    with pytest.raises(UnknownPerson):
        await again.hand.rename("nobody", "Ada", "olga")
    await again.hand.erase(owner, "olga")
    assert owner not in again.cards()
    await again.close()


async def test_two_in_view_together_are_refused(running: Running) -> None:
    await running.see(0, track_id=300, seq=60, at_s=7000.0)
    await running.see(1, track_id=301, seq=61, at_s=7000.5)
    with pytest.raises(InViewTogether, match="two people"):
        await running.hand.merge(running.owner(300), running.owner(301), "olga")


async def test_what_is_not_there_is_named(running: Running) -> None:
    with pytest.raises(UnknownOperation, match="77"):
        await running.hand.undo(77, "olga")
    with pytest.raises(UnknownPerson, match="reload"):
        await running.hand.merge("nobody", running.owner(0), "olga")


async def test_a_full_disk_leaves_everything_as_it_was(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = [running.owner(number) for number in range(3)]
    done = await running.hand.merge(owners[0], owners[1], "olga")
    before = picture(running)

    def full() -> None:
        raise StoreWriteError(Path("hub.db"), "full")

    with monkeypatch.context() as patched:
        patched.setattr(running.store, "correcting", full)
        for attempt in (
            running.hand.merge(owners[0], owners[2], "olga"),
            running.hand.undo(done.operation_id, "olga"),
            running.hand.erase(owners[0], "olga"),
        ):
            with pytest.raises(NotWritten, match="disk"):
                await attempt
    assert picture(running) == before
    assert (await running.hand.explain(track(1))).identity_id == owners[0]
    assert (await running.hand.explain(track(2))).identity_id == owners[2]
    await running.hand.undo(done.operation_id, "olga")
    assert running.owner(1) == owners[1]


async def test_an_engine_without_memory_of_looks_cannot_be_corrected(tmp_path: Path) -> None:
    store = open_store(tmp_path / "hub.db")
    hub = await Running(store, FirstPrototypeEngine()).start()
    with pytest.raises(CorrectionsUnavailable, match="RUID_ENGINE=ruid"):
        await hub.hand.merge("one", "other", "olga")
    assert issubclass(CorrectionsUnavailable, HandError)
    await asyncio.sleep(0)
    await hub.close()
    store.close()
