"""Durable items become committed observations with an identity, once."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.wire.builders import DIM, NOW_S, tracklet
from fakes import FirstPrototypeEngine
from ruid_core.identity import Revision
from ruid_core.wire import messages as wm
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import pack_embeddings
from ruid_hub import recognition
from ruid_hub.hand import LookExpired, UnknownSighting
from ruid_hub.identities import RuidClusterer
from ruid_hub.observations import TrackKey
from ruid_hub.recognition import ReceivedItem, Recogniser
from ruid_hub.store import Store, StoreWriteError, open_store

TRACK = TrackKey("node1/cam0", 3, 7)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


def person(number: int) -> bytes:
    return pack_embeddings(np.eye(DIM, dtype=np.float32)[number : number + 1])


def item(seq: int, content: wm.Content | None = None, *, offset_s: float = 0.0, **changes: Any) -> ReceivedItem:
    return ReceivedItem("node1", ItemKey(3, seq), content or tracklet(**changes), NOW_S, offset_s)


def test_an_observation_is_recognised_and_stored(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    outcome = recogniser.commit([item(1, embeddings=person(2))])
    (seen,) = outcome.recognised
    assert seen.assignment is not None
    assert (seen.assignment.identity_id, seen.assignment.state) == ("person2", "matched")
    assert seen.observation.track == TRACK
    assert outcome.estimate is not None
    assert outcome.estimate.value == 1
    assert store.counts().observations == 1
    assert recogniser.stored == {"node1": 1}


def test_times_are_corrected_to_the_hubs_clock(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    (seen,) = recogniser.commit([item(1, offset_s=100.0)]).recognised
    assert seen.observation.ended_at_s == tracklet().ended_at_s + 100
    gap = wm.CoverageGap("cam0", NOW_S - 10, NOW_S - 5, "unplugged")
    (told,) = recogniser.commit([item(2, gap, offset_s=100.0)]).gaps
    assert (told.camera, told.from_s, told.to_s) == ("node1/cam0", NOW_S + 90, NOW_S + 95)


def test_what_is_repeated_has_no_effect(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    recogniser.commit([item(1), item(2)])
    again = recogniser.commit([item(1), item(2), item(3)])
    assert len(again.recognised) == 1
    assert (recogniser.duplicates, store.counts().observations) == (2, 3)
    restarted = Recogniser(store=store, engine=FirstPrototypeEngine())
    assert restarted.resume_point("node1") == ItemKey(3, 3)
    assert restarted.commit([item(3)]).recognised == ()


def test_a_node_is_never_told_that_the_hub_has_what_is_still_being_committed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would forget the items, and a hub that is killed before the commit has ended has never had them."""
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    recogniser.commit([item(1)])
    told: list[ItemKey] = []
    commit = store.commit

    def slow(*args: Any) -> Any:
        told.append(recogniser.resume_point("node1"))
        return commit(*args)

    monkeypatch.setattr(store, "commit", slow)
    recogniser.commit([item(2), item(3)])
    assert told == [ItemKey(3, 1)]
    assert recogniser.resume_point("node1") == ItemKey(3, 3)


def test_a_last_part_without_embeddings_ends_the_track(store: Store) -> None:
    engine = FirstPrototypeEngine()
    recogniser = Recogniser(store=store, engine=engine)
    recogniser.commit([item(1, embeddings=person(1))])
    (last,) = recogniser.commit([item(2, part=1, final=True, embeddings=b"", qualities=())]).recognised
    assert last.assignment is not None
    assert last.assignment.identity_id == "person1"
    assert engine.ended == [str(TRACK)]


def test_a_last_part_without_embeddings_makes_nobody_surer(store: Store) -> None:
    names = (f"person{number}" for number in itertools.count(1))
    recogniser = Recogniser(store=store, engine=RuidClusterer(lambda: next(names)))
    (first,) = recogniser.commit([item(1, embeddings=person(1))]).recognised
    (last,) = recogniser.commit([item(2, part=1, final=True, embeddings=b"", qualities=())]).recognised
    assert last.assignment == first.assignment


def test_a_track_that_never_gave_an_embedding_has_no_identity(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    (seen,) = recogniser.commit([item(1, final=True, embeddings=b"", qualities=())]).recognised
    assert seen.assignment is None


def test_bad_embeddings_become_a_record_of_the_loss(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    outcome = recogniser.commit([item(1, embeddings=b"\x00" * 2 * DIM), item(2)])
    assert len(outcome.recognised) == 1
    assert recogniser.refusals == {"refused_embedding_norm": 1}
    assert store.counts().items_dropped == 1


def test_a_nodes_own_losses_are_counted(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    recogniser.commit([item(9, wm.Dropped("spool_full", 1, 9, 9))])
    assert recogniser.refusals == {"spool_full": 9}
    assert store.counts().items_dropped == 9


def test_evidence_that_the_engine_refuses_is_kept_without_identity_and_counted(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    (seen,) = recogniser.commit([item(1, embedding_model_id="another")]).recognised
    assert seen.assignment is None
    assert recogniser.refusals == {"WrongModel": 1}
    assert store.counts().observations == 1


def engine_of(numbers: Iterator[int]) -> RuidClusterer:
    return RuidClusterer(lambda: f"new{next(numbers)}")


def seen_by(recogniser: Recogniser, models: Sequence[str], *, from_seq: int) -> list[str | None]:
    """Who a track of each of these models is said to be; it is one person, and `other` has more dimensions."""
    told: list[str | None] = []
    for seq, model in enumerate(models, from_seq):
        ended_s = NOW_S - 5000.0 + 10.0 * seq
        content = tracklet(
            track_id=seq,
            final=True,
            started_at_s=ended_s - 1,
            ended_at_s=ended_s,
            embeddings=pack_embeddings(np.eye(2 * DIM if model == "other" else DIM, dtype=np.float32)[:1]),
            embedding_model_id=model,
        )
        (seen,) = recogniser.commit([item(seq, content)]).recognised
        told.append(seen.assignment.identity_id if seen.assignment else None)
    return told


def test_the_hub_begins_anew_once_nearly_everything_is_of_another_model(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=engine_of(itertools.count()))
    former = seen_by(recogniser, ["first"] * 64, from_seq=1)
    assert recogniser.rethink(at_s=NOW_S) is None
    told = seen_by(recogniser, ["other"] * 60, from_seq=65)
    assert told[:47] == [None] * 47  # three of four of the latest 64
    assert None not in told[47:]
    assert not {*told[47:]} & {*former}
    assert recogniser.model_changes == 1
    assert recogniser.refusals == {"WrongModel": 47}
    assert recogniser.corrections.model_id() == "other"
    assert store.counts().observations == 124
    while recogniser.rethink(at_s=NOW_S) is None:
        pass
    assert seen_by(recogniser, ["first"], from_seq=125) == [None]


def test_a_few_nodes_with_another_model_change_nothing(store: Store) -> None:
    """Nor does half of them, however long it stays so: people would lose their names with every turn."""
    recogniser = Recogniser(store=store, engine=engine_of(itertools.count()))
    seen_by(recogniser, (["first"] * 9 + ["other"]) * 8, from_seq=1)
    seen_by(recogniser, ["first", "other"] * 40, from_seq=81)
    assert recogniser.model_changes == 0
    assert recogniser.corrections.model_id() == "first"


def test_a_new_hub_does_not_stay_with_the_model_of_the_first_to_come(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=engine_of(itertools.count()))
    told = seen_by(recogniser, ["first", *["other"] * 9], from_seq=1)
    assert [one is None for one in told] == [False, *[True] * 7, False, False]


def test_a_restart_restores_what_was_seen_with_the_model_in_use(store: Store) -> None:
    numbers = itertools.count()
    recogniser = Recogniser(store=store, engine=engine_of(numbers))
    former = seen_by(recogniser, ["first"] * 2, from_seq=1)
    kept = [one for one in seen_by(recogniser, ["other"] * 20, from_seq=3) if one]
    seen_by(recogniser, ["first"], from_seq=23)  # a node that was not updated comes last
    again = Recogniser(store=store, engine=engine_of(numbers))
    assert again.restore() == len(kept)
    assert again.corrections.model_id() == "other"
    assert again.refusals == {}
    assert seen_by(again, ["other"], from_seq=24)[0] in kept
    assert not {*former} & {*kept}


def test_what_waited_for_a_change_before_a_restart_counts_after_it(store: Store) -> None:
    numbers = itertools.count()
    seen_by(Recogniser(store=store, engine=engine_of(numbers)), ["first"] * 10 + ["other"] * 29, from_seq=1)
    again = Recogniser(store=store, engine=engine_of(numbers))
    assert again.restore() == 10
    assert seen_by(again, ["other"] * 2, from_seq=40)[0] is not None
    assert again.model_changes == 1


def test_operators_of_a_hub_that_began_anew_are_told_what_it_knows(store: Store) -> None:
    recogniser = Recogniser(store=store, engine=engine_of(itertools.count()))
    hand = recogniser.corrections
    former = seen_by(recogniser, ["first"], from_seq=1)[0] or ""
    named = hand.rename(former, "Ada", "olga").operation
    now = seen_by(recogniser, ["other"] * 10, from_seq=2)[-1] or ""
    merged = hand.merge(now, former, "olga").operation
    assert {one.identity_id: one.label for one in store.recent_identities(9)} == {now: "Ada"}
    hand.undo(merged.operation_id, "olga")
    with pytest.raises(LookExpired):
        hand.merge(former, now, "olga")
    with pytest.raises(UnknownSighting):
        hand.move(TrackKey("node1/cam0", 3, 1), now, "olga")
    hand.rename(now, "Grace", "olga")
    assert {one.label for one in store.recent_identities(9)} == {"Ada", "Grace"}
    hand.undo(named.operation_id, "olga")
    hand.rename(former, "Ann", "olga")
    assert {one.label for one in store.recent_identities(9)} == {"Ann", "Grace"}
    hand.erase(former, "olga")
    assert {one.label for one in store.recent_identities(9)} == {"Grace"}


def test_corrections_reach_the_store(store: Store) -> None:
    engine = FirstPrototypeEngine()
    recogniser = Recogniser(store=store, engine=engine)
    recogniser.commit([item(1, embeddings=person(1))])
    engine.next_revisions = (Revision(str(TRACK), "person1", "person5"),)
    outcome = recogniser.consolidate(at_s=NOW_S)
    assert outcome.revisions == ((TRACK, "person5"),)
    assert [row.assignment.identity_id for row in store.observations_in_order() if row.assignment] == ["person5"]
    engine.next_revisions = (Revision(str(TRACK), "person5", "person6"),)
    other = item(2, track_id=8, embeddings=person(2))
    assert recogniser.commit([other]).revisions == ((TRACK, "person6"),)


def test_thinking_again_takes_steps_between_which_items_are_committed(store: Store) -> None:
    numbers = itertools.count()
    recogniser = Recogniser(store=store, engine=RuidClusterer(lambda: f"new{next(numbers)}"))
    assert recogniser.rethink(at_s=NOW_S) is not None
    for seq in range(1, 25):
        recogniser.commit([item(seq, track_id=seq, embeddings=person(seq % 8))])
    steps, seq = 0, 24
    while recogniser.rethink(at_s=NOW_S) is None:
        steps, seq = steps + 1, seq + 1
        (late,) = recogniser.commit([item(seq, track_id=seq, embeddings=person(seq % 8))]).recognised
        assert late.assignment is not None
    assert steps >= 1
    told = {row.observation.track: row.assignment for row in store.observations_in_order()}
    assert len(told) == seq
    assert all(assignment is not None for assignment in told.values())


def test_the_engine_is_rebuilt_from_the_store(store: Store) -> None:
    Recogniser(store=store, engine=FirstPrototypeEngine()).commit(
        [item(1, embeddings=person(1)), item(2, final=True, embeddings=b"", qualities=())]
    )
    engine = FirstPrototypeEngine()
    assert Recogniser(store=store, engine=engine).restore() == 1
    assert engine.answers == {str(TRACK): "person1"}


def test_a_track_that_had_ended_has_ended_after_a_start(store: Store) -> None:
    Recogniser(store=store, engine=FirstPrototypeEngine()).commit([item(1), item(2, part=1, final=True)])
    engine = FirstPrototypeEngine()
    Recogniser(store=store, engine=engine).restore()
    assert engine.ended == [str(TRACK)]


def test_a_full_disk_holds_everything_up_and_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = Recogniser(store=store, engine=FirstPrototypeEngine())
    commit = store.commit
    refusals = iter([True, True, False])

    def full_at_first(*arguments: Any) -> Any:
        if next(refusals):
            assert recogniser.stored == {}
            raise StoreWriteError(Path("hub.db"), "disk is full")
        return commit(*arguments)

    monkeypatch.setattr(store, "commit", full_at_first)
    monkeypatch.setattr(recognition, "_RETRY_S", 0.001)
    assert recogniser.troubles() == ()
    recogniser.commit([item(1)])
    assert recogniser.commit_failures == 2
    assert store.counts().observations == 1
