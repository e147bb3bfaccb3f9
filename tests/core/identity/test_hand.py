"""What an operator says holds, and can be taken back."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ruid_core.identity import (
    Correction,
    CorrectionRefused,
    Evidence,
    IdentitySettings,
    InViewTogether,
    NothingToChange,
    TrackletEngine,
    UnknownIdentity,
    UnknownTrack,
    resting_on,
)

F32 = NDArray[np.float32]
PEOPLE = np.random.default_rng(7).normal(size=(24, 32)).astype(np.float32)


def _engine(chosen: IdentitySettings | None = None) -> TrackletEngine:
    numbers = itertools.count(1)
    return TrackletEngine(next_identity_id=lambda: f"new-{next(numbers)}", settings=chosen or _settings())


def _settings(*, most_tracks: int = 3072, most_folded: int = 500) -> IdentitySettings:
    """No thinking over unasked, and cameras whose clocks may say anything."""
    return IdentitySettings(most_tracks=most_tracks, most_folded=most_folded, refresh_until=0, clock_tolerance_s=1e9)


def _evidence(camera: str, track: str, at_s: float, row: F32, crops: int = 1) -> Evidence:
    rows = np.repeat(row[None] / np.float32(np.linalg.norm(row)), crops, axis=0)
    return Evidence(camera, track, 0, at_s, at_s, rows, np.ones(crops, np.float32), "model")


def _known(chosen: IdentitySettings | None = None, visits: int = 3) -> TrackletEngine:
    """Everybody was seen on several tracks, named `person/visit`, and is called `p0`, `p1`, ..."""
    engine = _engine(chosen or _settings())
    for visit in range(visits):
        for number, person in enumerate(PEOPLE):
            evidence = _evidence("a", f"{number}/{visit}", 1000.0 * visit + 10.0 * number, person, crops=2)
            engine.restore(evidence, f"p{number}")
    return engine


def _answers(engine: TrackletEngine) -> dict[str, str]:
    gallery = engine.gallery
    assert gallery is not None
    return {track: gallery.name_of(track) for track in [*gallery.tracks.rows, *gallery.folded]}


def _state(engine: TrackletEngine) -> tuple[object, ...]:
    gallery = engine.gallery
    assert gallery is not None
    names = gallery.identities.names
    labels = {names[row]: label for row, label in gallery.labels.items()}
    return _answers(engine), engine.hand.statements(), labels, set(gallery.identities.rows)


def _rethink(engine: TrackletEngine) -> None:
    """Two consolidations with people walking past in between."""
    for round_ in range(2):
        engine.consolidate(50_000.0)
        for number, person in enumerate(PEOPLE):
            engine.observe(_evidence("a", f"again-{round_}/{number}", 60_000.0 + 1000 * round_ + 9.0 * number, person))


def test_merged_people_stay_one_whatever_the_engine_thinks() -> None:
    engine = _known()
    correction = engine.hand.merge("p0", "p1")
    assert correction.identity_id == "p0"
    assert {one.track for one in correction.moved} == {"1/0", "1/1", "1/2"}
    _rethink(engine)
    assert len({engine.identity_of(f"{number}/{visit}") for number in (0, 1) for visit in range(3)}) == 1


def test_an_undone_merge_is_as_before_and_free_again() -> None:
    engine = _known()
    before = _state(engine)
    engine.hand.undo(engine.hand.merge("p0", "p1"))
    assert _state(engine) == before
    _rethink(engine)
    assert engine.identity_of("0/0") != engine.identity_of("1/0")


def test_a_merge_keeps_the_name_that_one_of_them_has() -> None:
    engine = _known()
    engine.hand.rename("p1", "Ada")
    before = _state(engine)
    merged = engine.hand.merge("p0", "p1")
    assert engine.hand.label_of("p0") == "Ada"
    engine.hand.rename("p2", "Bob")
    both = engine.hand.merge("p0", "p2")
    assert engine.hand.label_of("p0") == "Ada"
    engine.hand.undo(both)
    assert engine.hand.label_of("p2") == "Bob"
    engine.hand.rename("p2", None)
    engine.hand.undo(merged)
    assert _state(engine) == before


def test_split_tracks_stay_together_and_apart_from_the_rest() -> None:
    engine = _known()
    split = engine.hand.split("p3", ("3/0", "3/2"))
    _rethink(engine)
    assert engine.identity_of("3/0") == engine.identity_of("3/2") != engine.identity_of("3/1")
    engine.hand.undo(split)
    _rethink(engine)
    assert engine.identity_of("3/0") == engine.identity_of("3/1")


def test_a_moved_track_stays_where_it_was_put() -> None:
    engine = _known()
    engine.hand.move("3/0", "p9")
    _rethink(engine)
    assert engine.identity_of("3/0") == engine.identity_of("9/0") != engine.identity_of("3/1")
    engine.observe(_evidence("a", "3/2", 70_000.0, PEOPLE[3], crops=30))
    assert engine.identity_of("3/0") == engine.identity_of("9/0")


def test_a_track_can_be_moved_to_somebody_new() -> None:
    engine = _known()
    correction = engine.hand.move("3/0", None)
    assert engine.identity_of("3/0") == correction.identity_id == "new-1"


def test_the_last_track_of_somebody_takes_the_name_along() -> None:
    engine = _known(visits=1)
    engine.hand.rename("p1", "Ada")
    before = _state(engine)
    moved = engine.hand.move("1/0", "p0")
    assert engine.hand.label_of("p0") == "Ada"
    engine.hand.undo(moved)
    assert _state(engine) == before


def test_not_this_person_sticks() -> None:
    engine = _known()
    correction = engine.hand.not_this_person("3/0", "p3")
    assert correction.identity_id == engine.identity_of("3/0") != "p3"
    with pytest.raises(NothingToChange):
        engine.hand.not_this_person("3/0", "p3")
    _rethink(engine)
    engine.observe(_evidence("a", "3/2", 70_000.0, PEOPLE[3], crops=30))
    assert engine.identity_of("3/0") != engine.identity_of("3/1")


def test_not_this_person_decides_anew_who_it_is() -> None:
    engine = _known()
    engine.consolidate(40_000.0)
    engine.hand.move("3/0", "p9")
    correction = engine.hand.not_this_person("3/0", "p9")
    assert correction.identity_id.startswith("new")
    engine.hand.undo(correction)
    assert engine.identity_of("3/0") == "p9"
    wrong = engine.hand.split("p5", ("5/0",))
    assert engine.hand.not_this_person("5/0", "p6").identity_id == "p6"
    assert engine.identity_of("5/0") == wrong.identity_id


def test_a_track_that_is_nobody_it_was_said_not_to_be_goes_to_whom_it_resembles() -> None:
    engine = _known()
    for number in range(24):
        engine.restore(_evidence("b", f"b/{number}", 10.0 * number, PEOPLE[number], crops=2), f"p{(number + 1) % 24}")
    assert engine.hand.not_this_person("b/3", "p4").identity_id == "p3"


def test_people_said_to_be_different_are_never_joined() -> None:
    engine = _engine()
    for visit in range(3):
        for number, person in enumerate(PEOPLE):
            name = f"{number} before" if visit == 0 else f"{number}"
            engine.restore(_evidence("a", f"{number}/{visit}", 1000.0 * visit + 10.0 * number, person, crops=2), name)
    engine.hand.different("4", "4 before")
    _rethink(engine)
    assert engine.identity_of("4/0") != engine.identity_of("4/1")
    assert engine.identity_of("5/0") == engine.identity_of("5/1")


def test_people_with_different_names_are_never_joined_by_themselves() -> None:
    engine = _engine()
    for visit in range(2):
        for number, person in enumerate(PEOPLE):
            evidence = _evidence("a", f"{number}/{visit}", 1000.0 * visit + 10.0 * number, person, crops=2)
            engine.restore(evidence, f"{number}/{visit}")
    for name, label in (("4/0", "Ada"), ("4/1", "Bob"), ("5/0", "Eve")):
        engine.hand.rename(name, label)
    _rethink(engine)
    assert (engine.identity_of("4/0"), engine.identity_of("4/1")) == ("4/0", "4/1")
    assert engine.identity_of("5/0") == engine.identity_of("5/1") == "5/0"
    assert engine.hand.label_of("5/0") == "Eve"


def test_a_named_person_with_one_track_is_not_lost_when_the_track_changes() -> None:
    engine = _known(visits=1)
    engine.hand.rename("p0", "Ada")
    engine.observe(_evidence("a", "0/0", 5000.0, PEOPLE[1], crops=30))
    assert engine.identity_of("0/0") == "p0"


def test_the_newest_word_counts() -> None:
    engine = _known()
    engine.hand.not_this_person("3/0", "p9")
    engine.hand.different("p3", "p9")
    engine.hand.merge("p9", "p3")
    _rethink(engine)
    assert engine.identity_of("3/0") == engine.identity_of("9/0")
    engine.hand.split(engine.identity_of("9/0"), ("9/0", "9/1"))
    _rethink(engine)
    assert engine.identity_of("9/0") == engine.identity_of("9/1") != engine.identity_of("9/2")
    assert engine.identity_of("9/2") == engine.identity_of("3/0")
    engine.hand.move("9/0", engine.identity_of("9/2"))
    _rethink(engine)
    assert engine.identity_of("9/0") == engine.identity_of("9/2") != engine.identity_of("9/1")


def test_two_seen_together_are_never_made_one() -> None:
    engine = _known()
    for name, person in (("left", 3), ("right", 4)):
        engine.observe(_evidence("a", name, 9000.0, PEOPLE[person], crops=2))
    left, right = engine.identity_of("left"), engine.identity_of("right")
    with pytest.raises(InViewTogether, match="left"):
        engine.hand.merge(left, right)
    with pytest.raises(InViewTogether, match="right"):
        engine.hand.move("left", right)
    assert engine.hand.statements() == ()


def test_a_bond_ends_where_a_camera_sees_both_at_once() -> None:
    engine = _known()
    for name, at_s in (("one", 9000.0), ("two", 9100.0)):
        engine.observe(_evidence("a", name, at_s, PEOPLE[0]))
        engine.end_track(name, at_s)
    engine.hand.merge(engine.identity_of("one"), "p5")
    assert engine.identity_of("two") == engine.identity_of("one")
    engine.observe(_evidence("a", "one", 9200.0, PEOPLE[0]))
    assert engine.identity_of("one") != engine.identity_of("two")


def test_who_is_not_bound_makes_room_for_who_is() -> None:
    engine = _known()
    engine.hand.merge("p0", engine.hand.split("p0", ("0/0",)).identity_id)
    guest = _evidence("a", "guest", 2004.0, PEOPLE[0])
    assert engine.observe(guest).identity_id == "p0"
    decision = engine.observe(_evidence("a", "0/2", 2007.0, PEOPLE[0]))
    assert decision.identity_id == "p0"
    assert [one.track for one in decision.revisions] == ["guest"]
    assert engine.identity_of("guest") != "p0"


def test_what_rests_on_an_operation_is_undone_before_it() -> None:
    engine = _known()
    merge = engine.hand.merge("p0", "p1")
    elsewhere = engine.hand.rename("p5", "Eve")
    again = engine.hand.rename("p5", "Eva")
    move = engine.hand.move("1/1", "p7")
    cut = engine.hand.split("p0", ("0/0",))
    later = [(2, elsewhere), (3, again), (4, move), (5, cut)]
    assert resting_on(merge, later) == (5, 4)
    assert resting_on(elsewhere, later[1:]) == (3,)
    assert resting_on(move, later[3:]) == (5,)
    assert resting_on(again, later[2:]) == ()


def test_a_restarted_engine_holds_to_what_was_said() -> None:
    engine = _known()
    undone = engine.hand.merge("p2", "p8")
    engine.hand.undo(undone)
    standing = [engine.hand.merge("p0", "p1"), engine.hand.not_this_person("3/0", "p3"), engine.hand.move("5/0", "p6")]
    standing += [engine.hand.split("p0", ("1/2",)), engine.hand.rename("p9", "Ada")]
    again = _engine()
    for visit in range(3):
        for number, person in enumerate(PEOPLE):
            track = f"{number}/{visit}"
            evidence = _evidence("a", track, 1000.0 * visit + 10.0 * number, person, crops=2)
            again.restore(evidence, engine.identity_of(track))
    again.hand.resume(standing, {"p9": "Ada", "who": "nobody"})
    assert _state(again) == _state(engine)
    _rethink(again)
    assert again.identity_of("3/0") != again.identity_of("3/1")
    assert again.identity_of("0/0") == again.identity_of("1/0") != again.identity_of("1/2")


def test_a_restart_leaves_out_what_is_no_longer_true_or_known() -> None:
    engine = _known()
    merge, apart = engine.hand.merge("p0", "p1"), engine.hand.different("p3", "p4")
    again = _engine()
    for track, name in (("0/0", "x"), ("0/1", "x"), ("1/0", "y"), ("3/0", "z"), ("4/0", "z"), ("4/1", "w")):
        number, visit = (int(part) for part in track.split("/"))
        again.restore(_evidence("a", track, 1000.0 * visit + 10.0 * number, PEOPLE[number]), name)
    again.hand.resume(
        [merge, apart, Correction("gone", made=((99, merge.made[-1][1].__class__(frozenset(("q", "r")))),))], {}
    )
    (_, bond), (_, rift) = again.hand.statements()
    assert bond.left == {"0/0", "0/1"}
    assert (rift.left, rift.right) == ({"3/0"}, {"4/1"})


def test_a_number_of_a_statement_about_forgotten_tracks_is_not_given_again() -> None:
    """Undoing the old correction would otherwise take what was said since then."""
    merge = _known().hand.merge("p0", "p1")
    again = _engine()
    for number in range(3):
        again.restore(_evidence("a", f"later/{number}", 9000.0 + 10.0 * number, PEOPLE[number]), f"x{number}")
    again.hand.resume([merge], {})
    again.hand.different("x0", "x1")
    said = again.hand.statements()
    assert len(said) == 1
    assert again.hand.undo(merge) == ()
    assert again.hand.statements() == said


def test_folded_tracks_are_corrected_too() -> None:
    engine = _known(_settings(most_tracks=32))
    assert engine.gallery is not None
    assert "1/0" in engine.gallery.folded
    engine.hand.merge("p0", "p1")
    engine.hand.split("p2", ("2/0",))
    engine.hand.not_this_person("4/0", "p4")
    engine.hand.move("6/0", "p7")
    engine.hand.move("8/1", "p20")
    engine.hand.erase("p9")
    engine.consolidate(50_000.0)
    assert engine.identity_of("0/0") == engine.identity_of("1/0")
    assert engine.identity_of("2/0") != engine.identity_of("2/1")
    assert engine.identity_of("4/0") != engine.identity_of("4/2")
    assert engine.identity_of("6/0") == engine.identity_of("7/0")


def test_a_folded_track_that_is_seen_again_goes_on_where_it_was() -> None:
    engine = _known(_settings(most_tracks=32))
    assert engine.gallery is not None
    assert "1/0" in engine.gallery.folded
    engine.observe(_evidence("a", "1/0", 2215.0, PEOPLE[1]))
    assert "1/0" in engine.gallery.tracks.rows
    assert engine.identity_of("1/0") not in {engine.identity_of(f"{number}/1") for number in range(24)}


def test_a_bond_with_a_folded_track_ends_where_both_were_in_view() -> None:
    engine = _known(_settings(most_tracks=32))
    engine.hand.merge("p0", "p1")
    late = _evidence("a", "1/0", 2200.0, PEOPLE[1])
    engine.observe(late)
    assert engine.identity_of("1/0") != engine.identity_of("0/0")


def test_forgotten_tracks_take_what_was_said_of_them_along() -> None:
    engine = _known(_settings(most_tracks=16, most_folded=20), visits=1)
    engine.hand.merge("p0", "p1")
    engine.hand.different("p2", "p20")
    for number in range(40):
        engine.observe(_evidence("b", f"b/{number}", 90_000.0 + 10 * number, PEOPLE[number % 24]))
    assert engine.hand.statements() == ()


def test_an_erased_person_is_gone() -> None:
    engine = _known()
    engine.hand.rename("p3", "Ada")
    engine.hand.different("p3", "p4")
    assert engine.hand.erase("p3") == {"3/0", "3/1", "3/2"}
    assert engine.hand.statements() == ()
    with pytest.raises(UnknownTrack):
        engine.identity_of("3/0")
    with pytest.raises(UnknownIdentity):
        engine.hand.members("p3")
    assert engine.observe(_evidence("a", "3/0", 9000.0, PEOPLE[3])).identity_id.startswith("new")


def test_what_makes_no_sense_is_refused_by_name() -> None:
    engine = _known()
    hand = engine.hand
    for nothing in (
        lambda: hand.merge("p0", "p0"),
        lambda: hand.different("p0", "p0"),
        lambda: hand.rename("p0", None),
        lambda: hand.split("p0", ()),
        lambda: hand.split("p0", ("0/0", "0/1", "0/2")),
        lambda: hand.move("0/0", "p0"),
    ):
        with pytest.raises(NothingToChange):
            nothing()
    with pytest.raises(UnknownTrack):
        hand.split("p0", ("1/0",))
    with pytest.raises(UnknownTrack):
        hand.move("who", "p0")
    with pytest.raises(UnknownIdentity):
        hand.merge("p0", "who")


def test_an_engine_that_has_seen_nothing_has_nothing_to_correct() -> None:
    engine = _engine()
    with pytest.raises(UnknownIdentity):
        engine.hand.rename("p0", "Ada")
    with pytest.raises(UnknownTrack):
        engine.hand.not_this_person("0/0", "p0")
    engine.hand.resume([], {})
    assert engine.hand.undo(Correction("p0")) == ()
    assert engine.hand.statements() == ()
    assert engine.settle("who") == "new-1"


# --- whatever happens ----------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rename", "merge", "split", "move", "new", "not", "different"]),
        st.integers(0, 23),
        st.integers(0, 23),
        st.integers(0, 2),
    ),
    max_size=14,
)


def _try(engine: TrackletEngine, step: tuple[str, int, int, int]) -> Correction | None:
    kind, one, other, visit = step
    track, hand = f"{one}/{visit}", engine.hand
    here, there = engine.identity_of(track), engine.identity_of(f"{other}/{visit}")
    half = sorted(hand.members(here))[: 1 + visit]
    operations = {
        "rename": lambda: hand.rename(here, f"name {other % 3}"),
        "merge": lambda: hand.merge(here, there),
        "split": lambda: hand.split(here, half),
        "move": lambda: hand.move(track, there),
        "new": lambda: hand.move(track, None),
        "not": lambda: hand.not_this_person(track, there),
        "different": lambda: hand.different(here, there),
    }
    try:
        return operations[kind]()
    except CorrectionRefused:
        return None


def _check_what_was_said(engine: TrackletEngine) -> None:
    answers = _answers(engine)
    for _, statement in engine.hand.statements():
        left, right = ({answers[track] for track in names} for names in (statement.left, statement.right))
        assert not left & right
        assert len(left) == 1 or statement.right


@settings(max_examples=25, deadline=None)
@given(STEPS, st.sampled_from([3072, 32]))
def test_undoing_everything_restores_the_exact_state(steps: list[tuple[str, int, int, int]], most_tracks: int) -> None:
    engine = _known(_settings(most_tracks=most_tracks))
    before = _state(engine)
    done: list[Correction] = []
    for step in steps:
        correction = _try(engine, step)
        if correction is not None:
            done.append(correction)
        _check_what_was_said(engine)
    for correction in reversed(done):
        engine.hand.undo(correction)
        _check_what_was_said(engine)
    assert _state(engine) == before


@settings(max_examples=25, deadline=None)
@given(STEPS, st.lists(st.integers(0, 13), max_size=5))
def test_what_was_said_holds_through_everything_that_the_engine_does(
    steps: list[tuple[str, int, int, int]], undone: list[int]
) -> None:
    engine = _known(_settings(most_tracks=64))
    done: list[Correction] = []
    for index, step in enumerate(steps):
        correction = _try(engine, step)
        if correction is not None:
            done.append(correction)
        for late in range(2):
            at_s = 10_000.0 + 100 * index + 7 * late
            engine.observe(_evidence("a", f"{step[1]}/{step[3]}", at_s, PEOPLE[step[2] if late else step[1]]))
            engine.observe(_evidence("a", f"late-{index}-{late}", at_s, PEOPLE[step[1]]))
            _check_what_was_said(engine)
        if index % 3 == 0:
            engine.consolidate(20_000.0)
        _check_what_was_said(engine)
    for index in sorted(undone, reverse=True):
        if index < len(done):
            engine.hand.undo(done.pop(index))
            engine.consolidate(99_000.0)
            _check_what_was_said(engine)


# --- when little is remembered --------------------------------------------------------------------------------


def test_an_undoing_can_be_taken_back_at_once() -> None:
    engine = _known()
    engine.hand.not_this_person("1/0", "p0")
    merge = engine.hand.merge("p0", "p1")
    after = _state(engine)
    engine.hand.undo(merge)
    engine.hand.redo(merge)
    assert _state(engine) == after


def test_a_track_is_moved_to_somebody_of_whom_only_an_archive_is_left() -> None:
    engine = _known(_settings(most_tracks=16), visits=1)
    engine.hand.move("23/0", "p0")
    assert engine.identity_of("23/0") == engine.identity_of("0/0") == "p0"


def test_some_of_an_archive_whose_oldest_names_are_forgotten_can_be_split_off() -> None:
    engine = _engine(_settings(most_tracks=16, most_folded=30))
    for visit in range(5):
        for number in range(10):
            engine.restore(
                _evidence("a", f"{number}/{visit}", 1000.0 * visit + 10.0 * number, PEOPLE[number]), f"p{number}"
            )
    assert engine.gallery is not None
    assert "3/0" not in engine.gallery.folded
    split = engine.hand.split("p3", ("3/1",))
    assert engine.identity_of("3/1") == split.identity_id != engine.identity_of("3/2")
    engine.consolidate(9000.0)
    assert engine.identity_of("3/1") != engine.identity_of("3/2")


def test_a_track_may_be_whom_others_were_said_not_to_be() -> None:
    engine = _known()
    engine.hand.different("p9", "p3")
    engine.hand.move("3/0", "p9")
    _check_what_was_said(engine)
    assert engine.identity_of("3/0") == "p9"


def test_the_named_who_are_not_thought_over_do_not_matter() -> None:
    engine = _known(_settings(most_tracks=8), visits=1)
    engine.hand.rename("p0", "Ada")
    engine.hand.rename("p23", "Bob")
    engine.consolidate(9000.0)
    assert (engine.hand.label_of("p0"), engine.hand.label_of("p23")) == ("Ada", "Bob")


def test_a_bond_holds_where_folded_tracks_were_in_view_before_and_after_only() -> None:
    engine = _known(_settings(most_tracks=16))
    engine.hand.merge("p0", engine.hand.split("p0", ("0/1",)).identity_id)
    engine.observe(_evidence("a", "0/1", 1003.0, PEOPLE[0]))
    assert engine.identity_of("0/0") == engine.identity_of("0/1") == engine.identity_of("0/2")


def test_who_is_bound_is_not_ousted_by_somebody_more_alike() -> None:
    engine = _known()
    engine.consolidate(8000.0)
    look_alike = 0.6 * PEOPLE[5] + 0.4 * np.random.default_rng(99).normal(size=32).astype(np.float32)
    assert engine.observe(_evidence("a", "look-alike", 9000.0, look_alike)).identity_id == "p5"
    engine.hand.merge("p5", engine.hand.split("p5", ("look-alike",)).identity_id)
    decision = engine.observe(_evidence("a", "real", 9000.5, PEOPLE[5]))
    assert decision.identity_id != "p5"
    assert engine.identity_of("look-alike") == "p5"
