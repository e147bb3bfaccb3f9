"""What the engine answers while people walk past."""

import itertools
from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from ruid_core.identity import (
    Evidence,
    EvidenceRefused,
    IdentitySettings,
    IdentityState,
    NoEmbeddings,
    NotFinite,
    TimeWentBackwards,
    TrackletEngine,
    TrackMoved,
    UnknownTrack,
    WrongDimension,
    WrongModel,
    WrongShape,
    ZeroNorm,
)

F32 = NDArray[np.float32]


def _engine(settings: IdentitySettings | None = None) -> TrackletEngine:
    numbers = itertools.count(1)
    return TrackletEngine(next_identity_id=lambda: f"person-{next(numbers)}", settings=settings)


def _people(count: int, *, dim: int = 64, seed: int = 7) -> F32:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def _evidence(camera: str, track: str, at_s: float, row: F32, *, part: int = 0, crops: int = 1) -> Evidence:
    rows = np.repeat(row[None] / np.float32(np.linalg.norm(row)), crops, axis=0)
    return Evidence(camera, track, part, at_s, at_s, rows, np.ones(crops, np.float32), "model")


def _visit_all(engine: TrackletEngine, people: F32, *, camera: str, from_s: float) -> list[str]:
    return [
        engine.observe(_evidence(camera, f"{camera}/{number}", from_s + 10.0 * number, person, crops=2)).identity_id
        for number, person in enumerate(people)
    ]


def test_somebody_seen_again_by_another_camera_is_matched() -> None:
    engine, people = _engine(), _people(30)
    first = _visit_all(engine, people, camera="a", from_s=0.0)
    again = _visit_all(engine, people, camera="b", from_s=1000.0)
    assert len(set(first)) == 30
    assert again == first


def test_a_newcomer_is_new_and_says_so() -> None:
    engine, people = _engine(), _people(31)
    known = _visit_all(engine, people[:30], camera="a", from_s=0.0)
    decision = engine.observe(_evidence("a", "stranger", 1000.0, people[30]))
    assert decision.state is IdentityState.NEW
    assert decision.identity_id not in known
    assert decision.probability > 0.75
    assert decision.reasons
    assert all(one.probability < 0.2 for one in decision.alternatives)


def test_a_match_tells_how_sure_it_is_and_who_else_it_might_be() -> None:
    engine, people = _engine(), _people(30)
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    decision = engine.observe(_evidence("a", "again", 1000.0, people[3]))
    assert decision.state is IdentityState.MATCHED
    assert decision.identity_id == known[3]
    assert decision.alternatives[0].identity_id == known[3]
    assert decision.probability == decision.alternatives[0].probability
    assert {reason.kind for reason in decision.reasons} == {"similarity", "time", "price", "crops"}


def test_a_look_between_two_answers_is_pending_and_then_uncertain() -> None:
    engine, people = _engine(), _people(30)
    _visit_all(engine, people, camera="a", from_s=0.0)
    engine.consolidate(500.0)
    stranger = _people(1, seed=99)[0]
    states: list[IdentityState] = []
    for mix in np.linspace(0.2, 0.8, 25):
        blend = mix * people[0] + (1.0 - mix) * stranger
        for part in range(2):
            at_s = 1000.0 + 100.0 * mix + part
            states.append(engine.observe(_evidence("a", f"mix-{mix}", at_s, blend, part=part)).state)
    assert IdentityState.PENDING in states
    assert IdentityState.UNCERTAIN in states


def test_two_in_view_at_once_are_two_however_alike() -> None:
    engine, twin = _engine(), _people(1)[0]
    first = engine.observe(_evidence("a", "left", 1.0, twin))
    second = engine.observe(_evidence("a", "right", 1.0, twin))
    assert first.identity_id != second.identity_id
    assert any(reason.kind == "in view" for reason in second.reasons)


def test_a_track_that_has_ended_leaves_its_place_at_once() -> None:
    engine, people = _engine(), _people(30)
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    engine.observe(_evidence("a", "first", 1000.0, people[0]))
    engine.end_track("first", 1000.0)
    engine.end_track("never seen", 1000.0)
    assert engine.observe(_evidence("a", "second", 1000.5, people[0])).identity_id == known[0]


def test_later_crops_revise_an_early_answer() -> None:
    engine, people = _engine(), _people(30)
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    engine.consolidate(500.0)
    blurred = _people(1, seed=99)[0]
    first = engine.observe(_evidence("a", "late", 1000.0, blurred))
    clear = engine.observe(_evidence("a", "late", 1002.0, people[5], part=1, crops=12))
    assert first.identity_id not in known
    assert clear.identity_id == known[5]
    assert [(one.from_identity_id, one.to_identity_id) for one in clear.revisions] == [(first.identity_id, known[5])]
    assert engine.identity_of("late") == known[5]


def test_a_track_leaves_an_identity_that_it_turns_out_not_to_be() -> None:
    engine, people = _engine(), _people(32)
    known = _visit_all(engine, people[:30], camera="a", from_s=0.0)
    engine.consolidate(500.0)
    assert engine.observe(_evidence("a", "turns", 1000.0, people[5])).identity_id == known[5]
    turned = engine.observe(_evidence("a", "turns", 1002.0, people[30], part=1, crops=30))
    assert turned.identity_id not in known
    assert engine.observe(_evidence("a", "swaps", 2000.0, people[6])).identity_id == known[6]
    swapped = engine.observe(_evidence("a", "swaps", 2002.0, people[7], part=1, crops=30))
    assert swapped.identity_id == known[7]


def test_a_track_found_to_overlap_another_of_its_identity_moves_out() -> None:
    engine, people = _engine(), _people(30)
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    engine.observe(_evidence("a", "one", 1000.0, people[0]))
    engine.end_track("one", 1000.0)
    engine.observe(_evidence("a", "two", 1002.0, people[0]))
    late = engine.observe(_evidence("a", "one", 1003.0, people[0], part=1))
    assert engine.identity_of("two") == known[0]
    assert late.identity_id != known[0]


def test_of_two_in_view_the_one_who_fits_better_gets_the_identity() -> None:
    engine, people = _engine(), _people(30)
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    engine.consolidate(500.0)
    look_alike = 0.6 * people[5] + 0.4 * _people(1, seed=99)[0]
    assert engine.observe(_evidence("a", "look-alike", 1000.0, look_alike)).identity_id == known[5]
    decision = engine.observe(_evidence("a", "real", 1000.5, people[5]))
    assert decision.identity_id == known[5]
    assert [one.track for one in decision.revisions] == ["look-alike"]
    assert engine.identity_of("look-alike") == decision.revisions[0].to_identity_id != known[5]


def test_archives_of_one_person_are_joined_with_the_answers_of_their_tracks() -> None:
    engine, people = _engine(IdentitySettings(most_tracks=48, refresh_until=0)), _people(30)
    for visit in range(3):
        for number, person in enumerate(people):
            name = f"{number}" if visit else f"{number} before"
            engine.restore(_evidence("a", f"{number}/{visit}", 100.0 * visit + number, person, crops=2), name)
    moved = {one.track for one in engine.consolidate(500.0)}
    assert "0/0" in moved
    assert engine.identity_of("0/0") == engine.identity_of("0/2")
    assert len({engine.identity_of(f"{number}/{visit}") for number in range(30) for visit in range(3)}) == 30


def test_consolidation_joins_what_was_kept_apart_and_says_so() -> None:
    engine, people = _engine(IdentitySettings(refresh_until=0)), _people(30)
    for visit in range(3):
        for number, person in enumerate(people):
            engine.restore(
                _evidence("a", f"{number}/{visit}", 100.0 * visit + number, person, crops=2), f"{number}/{visit}"
            )
    revisions = engine.consolidate(500.0)
    assert len(revisions) == 60
    assert all(engine.identity_of(one.track) == one.to_identity_id for one in revisions)
    assert len({engine.identity_of(f"{number}/{visit}") for number in range(30) for visit in range(3)}) == 30


def test_consolidation_splits_what_was_joined_wrongly() -> None:
    engine, people = _engine(), _people(30)
    for visit in range(3):
        for number, person in enumerate(people):
            engine.restore(
                _evidence("a", f"{number}/{visit}", 100.0 * visit + number, person, crops=2), f"pair {number // 2}"
            )
    engine.consolidate(500.0)
    assert len({engine.identity_of(f"{number}/{visit}") for number in range(30) for visit in range(3)}) == 30


def test_restored_answers_stand_until_somebody_new_comes() -> None:
    engine, people = _engine(), _people(30)
    for number, person in enumerate(people):
        engine.restore(_evidence("a", f"{number}", 10.0 * number, person, crops=2), f"known-{number}")
    assert engine.identity_of("4") == "known-4"
    assert engine.observe(_evidence("b", "again", 1000.0, people[4])).identity_id == "known-4"


def test_a_restarted_engine_calibrates_itself_at_the_first_look() -> None:
    engine, people = _engine(IdentitySettings(refresh_until=5)), _people(30)
    for number, person in enumerate(people):
        engine.restore(_evidence("a", f"{number}", 10.0 * number, person, crops=2), f"known-{number}")
    first = engine.observe(_evidence("b", "again", 1000.0, people[4]))
    assert (first.identity_id, first.revisions) == ("known-4", ())
    stranger = engine.observe(_evidence("b", "new", 2000.0, _people(1, seed=99)[0]))
    assert not stranger.identity_id.startswith("known")


def test_searching_by_example_learns_nothing() -> None:
    engine, people = _engine(), _people(10)
    assert (engine.search(people[0]), engine.model_id) == ((), "")
    known = _visit_all(engine, people, camera="a", from_s=0.0)
    before = engine.state_bytes()
    assert engine.search(people[2], "a")[0].identity_id == known[2]
    assert engine.search(people[2], "elsewhere")[0].identity_id == known[2]
    assert (engine.state_bytes(), engine.model_id) == (before, "model")


def test_an_empty_engine_knows_nobody() -> None:
    engine = _engine()
    assert engine.estimate().value == 0.0
    assert engine.state_bytes() == 0
    assert engine.consolidate(1.0) == ()
    engine.end_track("nobody", 1.0)
    with pytest.raises(UnknownTrack, match="nobody"):
        engine.identity_of("nobody")


def test_the_estimate_holds_the_number_of_people() -> None:
    engine, people = _engine(), _people(40)
    _visit_all(engine, people, camera="a", from_s=0.0)
    _visit_all(engine, people, camera="b", from_s=1000.0)
    engine.consolidate(2000.0)
    estimate = engine.estimate()
    assert estimate.low < 40 < estimate.high
    assert abs(estimate.value - 40) < 4


def test_memory_is_bounded_and_old_tracks_keep_their_answer() -> None:
    settings = IdentitySettings(most_tracks=32, most_folded=40, refresh_until=32)
    engine, people = _engine(settings), _people(12)
    sizes: list[int] = []
    for lap in range(30):
        _visit_all(engine, people, camera=f"{lap}", from_s=1000.0 * lap)
        engine.consolidate(1000.0 * lap + 500.0)
        sizes.append(engine.state_bytes())
    assert sizes[10] == sizes[-1]
    assert engine.identity_of("29/3") == engine.identity_of("27/3")
    with pytest.raises(UnknownTrack):
        engine.identity_of("0/3")


def test_the_longest_unseen_are_forgotten_when_there_are_too_many_identities() -> None:
    settings = IdentitySettings(most_tracks=16, most_identities=24, refresh_until=0)
    engine, people = _engine(settings), _people(60)
    _visit_all(engine, people, camera="a", from_s=0.0)
    with pytest.raises(UnknownTrack):
        engine.identity_of("a/0")
    assert engine.identity_of("a/59")


def _with(evidence: Evidence, **changes: object) -> Evidence:
    values = {name: getattr(evidence, name) for name in Evidence.__slots__}
    return Evidence(**{**values, **changes})  # pyright: ignore[reportArgumentType]


ROW = np.ones((1, 64), np.float32)
REFUSALS: list[tuple[dict[str, object], type[EvidenceRefused]]] = [
    ({"embeddings": ROW * np.float32(np.nan)}, NotFinite),
    ({"qualities": np.full(1, np.nan, np.float32)}, NotFinite),
    ({"at_s": inf}, NotFinite),
    ({"embeddings": ROW * 0}, ZeroNorm),
    ({"embeddings": ROW[:0], "qualities": np.ones(0, np.float32)}, NoEmbeddings),
    ({"embeddings": ROW[0]}, WrongShape),
    ({"embeddings": ROW[:, :32]}, WrongDimension),
    ({"model_id": "another"}, WrongModel),
    ({"started_at_s": 2001.0}, TimeWentBackwards),
    ({"started_at_s": 0.0, "at_s": 0.0}, TimeWentBackwards),
    ({"track": "a/0", "camera": "elsewhere"}, TrackMoved),
]


@pytest.mark.parametrize(("changes", "refusal"), REFUSALS, ids=lambda value: getattr(value, "__name__", ""))
def test_bad_evidence_is_refused_by_name_and_teaches_nothing(
    changes: dict[str, object], refusal: type[EvidenceRefused]
) -> None:
    engine, untouched, people = _engine(), _engine(), _people(20)
    for one in (engine, untouched):
        _visit_all(one, people, camera="a", from_s=1000.0)
    with pytest.raises(refusal) as caught:
        engine.observe(_with(_evidence("a", "bad", 2000.0, people[0]), **changes))
    assert isinstance(str(caught.value), str)
    later = [_visit_all(one, people, camera="b", from_s=3000.0) for one in (engine, untouched)]
    assert later[0] == later[1]


def test_who_begins_anew_knows_nobody_compares_another_model_and_uses_no_id_again() -> None:
    engine, people = _engine(), _people(20)
    known = _visit_all(engine, people, camera="a", from_s=1000.0)
    engine.begin_anew()
    assert (engine.model_id, engine.gallery, engine.rethink()) == ("", None, None)
    decision = engine.observe(_with(_evidence("a", "t", 1.0, ROW[0, :32]), model_id="another"))
    assert decision.identity_id not in known
    assert engine.model_id == "another"
    assert engine.hand.label_of(decision.identity_id) is None
    with pytest.raises(UnknownTrack):
        engine.identity_of("a/0")


def test_cameras_may_be_hours_apart_from_one_another() -> None:
    engine, people = _engine(), _people(20)
    live = _visit_all(engine, people, camera="a", from_s=50_000.0)
    assert _visit_all(engine, people, camera="replayed", from_s=0.0) == live
