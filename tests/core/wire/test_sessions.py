"""Both ends of the conversation, step by step."""

import math

import pytest

from core.wire.builders import NOW_S, camera_config, crossing, examined, health, hello, live, stay, still, tracklet
from ruid_core.wire import messages as wm
from ruid_core.wire.clock import ClockEstimator
from ruid_core.wire.codec import decode_hub_message, decode_node_message, encode
from ruid_core.wire.errors import NewerProtocol, OutOfTurn, PeerError, SessionClosed, Undecodable
from ruid_core.wire.ingest import (
    MAX_REFUSALS,
    ConfiguredArrived,
    ExaminedArrived,
    HealthArrived,
    IngestSession,
    IngestState,
    ItemArrived,
    LiveArrived,
    MessageRefused,
    NodeArrived,
    NodeLeft,
    OffsetKnown,
    StillArrived,
)
from ruid_core.wire.uplink import (
    Acked,
    ConfigureArrived,
    ExamineAsked,
    HubLeft,
    ItemKey,
    RefusedByHub,
    StillAsked,
    UplinkSession,
    UplinkState,
    Welcomed,
)

RESUME = ItemKey(3, 40)


def running_pair() -> tuple[UplinkSession, IngestSession]:
    uplink, ingest = UplinkSession(hello(), window=4), IngestSession()
    (greeting,) = uplink.take_outgoing()
    assert ingest.receive(greeting, now_s=NOW_S) == NodeArrived(hello())
    ingest.welcome(hub_id="hub1", resume_after=RESUME, now_s=NOW_S)
    (welcome,) = ingest.take_outgoing()
    assert uplink.receive(welcome, now_s=NOW_S) == Welcomed("hub1", RESUME)
    return uplink, ingest


def running_ingest() -> IngestSession:
    return running_pair()[1]


def item(seq: int, content: wm.Content | None = None, *, boot_epoch: int = 3) -> wm.Item:
    return wm.Item(boot_epoch, seq, content or tracklet())


def say(ingest: IngestSession, message: wm.NodeMessage) -> object:
    return ingest.receive(encode(message), now_s=NOW_S)


def test_items_go_up_and_acknowledgements_come_down() -> None:
    uplink, ingest = running_pair()
    uplink.send_item(item(41))
    uplink.send_item(item(42))
    assert uplink.room == 2
    events = [ingest.receive(frame, now_s=NOW_S) for frame in uplink.take_outgoing()]
    assert events == [ItemArrived(ItemKey(3, 41), tracklet()), ItemArrived(ItemKey(3, 42), tracklet())]
    assert not ingest.has_outgoing  # until the commit there is nothing to say
    ingest.acknowledge(ItemKey(3, 42))
    assert ingest.has_outgoing
    (ack,) = ingest.take_outgoing()
    assert uplink.receive(ack, now_s=NOW_S) == Acked(ItemKey(3, 42))
    assert uplink.room == 4


def test_no_more_than_the_window_is_on_its_way() -> None:
    uplink, _ = running_pair()
    for seq in range(41, 45):
        uplink.send_item(item(seq))
    assert uplink.room == 0
    with pytest.raises(SessionClosed):
        uplink.send_item(item(45))


def test_nothing_is_sent_before_the_welcome() -> None:
    uplink = UplinkSession(hello())
    uplink.take_outgoing()
    assert uplink.room == 0
    assert not uplink.send(live())
    uplink.probe_clock(now_s=NOW_S)
    assert uplink.take_outgoing() == []


def test_live_and_health_arrive() -> None:
    uplink, ingest = running_pair()
    assert uplink.send(live())
    assert uplink.send(health())
    arrived = [ingest.receive(frame, now_s=NOW_S) for frame in uplink.take_outgoing()]
    assert arrived == [LiveArrived(live()), HealthArrived(health())]


def test_the_clocks_learn_how_far_they_are_apart() -> None:
    uplink, ingest = running_pair()
    uplink.probe_clock(now_s=NOW_S)
    (probe,) = uplink.take_outgoing()
    assert ingest.receive(probe, now_s=NOW_S + 100.05) is None
    (reply,) = ingest.take_outgoing()
    assert uplink.receive(reply, now_s=NOW_S + 0.1) is None
    best = uplink.clock.best
    assert best is not None
    assert best.offset_s == pytest.approx(100, abs=1e-6)
    assert best.error_s == pytest.approx(0.05, abs=1e-6)
    uplink.probe_clock(now_s=NOW_S + 1)
    (probe,) = uplink.take_outgoing()
    assert ingest.receive(probe, now_s=NOW_S + 101) == OffsetKnown(best.offset_s, best.error_s)


@pytest.mark.parametrize(
    ("offset_s", "error_s"), [(float("inf"), 0.1), (float("nan"), 0.1), (1.0, -0.1), (1.0, float("nan"))]
)
def test_a_clock_measure_that_is_no_number_is_answered_and_not_believed(offset_s: float, error_s: float) -> None:
    _, ingest = running_pair()
    assert ingest.receive(encode(wm.ClockProbe(NOW_S, offset_s, error_s)), now_s=NOW_S) is None
    assert len(ingest.take_outgoing()) == 1


def test_a_reply_that_was_held_up_is_not_believed() -> None:
    clock = ClockEstimator()
    assert clock.best is None
    clock.learn(sent_at_s=10, hub_at_s=110, returned_at_s=10.2)
    clock.learn(sent_at_s=20, hub_at_s=125, returned_at_s=30)
    clock.learn(sent_at_s=40, hub_at_s=125, returned_at_s=39)
    assert clock.best is not None
    assert clock.best.offset_s == pytest.approx(99.9)
    assert clock.best.error_s == pytest.approx(0.1)


def test_a_farewell_that_cannot_be_printed_is_made_plain() -> None:
    uplink, ingest = running_pair()
    uplink.leave(reason="the source\0\nhas ended")
    (bye,) = uplink.take_outgoing()
    assert ingest.receive(bye, now_s=NOW_S) == NodeLeft("the source has ended", False)


def test_both_sides_can_say_goodbye() -> None:
    uplink, ingest = running_pair()
    uplink.leave(reason="finished", finished=True)
    (bye,) = uplink.take_outgoing()
    assert ingest.receive(bye, now_s=NOW_S) == NodeLeft("finished", True)
    assert uplink.state is UplinkState.CLOSED
    uplink, ingest = running_pair()
    ingest.leave(reason="the hub stops")
    ingest.leave(reason="again")
    (bye,) = ingest.take_outgoing()
    assert uplink.receive(bye, now_s=NOW_S) == HubLeft("the hub stops")
    with pytest.raises(SessionClosed):
        uplink.receive(bye, now_s=NOW_S)
    with pytest.raises(SessionClosed):
        ingest.receive(bye, now_s=NOW_S)
    ingest.acknowledge(ItemKey(3, 41))
    assert ingest.take_outgoing() == []


def test_leaving_before_the_welcome_says_nothing() -> None:
    uplink = UplinkSession(hello())
    uplink.take_outgoing()
    uplink.leave(reason="stopped")
    assert uplink.take_outgoing() == []


def test_a_refusal_that_is_not_fatal_changes_nothing() -> None:
    uplink, ingest = running_pair()
    ingest.refuse(code="box", text="no", fatal=False)
    (refusal,) = ingest.take_outgoing()
    assert uplink.receive(refusal, now_s=NOW_S) == RefusedByHub("box", "no", False)
    assert uplink.state is UplinkState.RUNNING


def test_a_newer_node_is_refused_with_both_versions() -> None:
    ingest = IngestSession()
    event = say(ingest, hello(protocol_major=2, protocol_minor=7))
    text = "the node speaks protocol 2.7, this hub speaks 1.2: update the older of the two"
    assert event == MessageRefused("protocol_version", text, True)
    assert ingest.state is IngestState.CLOSED
    uplink = UplinkSession(hello(protocol_major=2))
    (refusal,) = ingest.take_outgoing()
    assert uplink.receive(refusal, now_s=NOW_S) == RefusedByHub("protocol_version", text, True)
    assert uplink.state is UplinkState.CLOSED


def test_a_newer_minor_version_is_welcome() -> None:
    assert isinstance(say(IngestSession(), hello(protocol_minor=99)), NodeArrived)


@pytest.mark.parametrize("message", [wm.Ack(3, 1), wm.ClockReply(1, 2)])
def test_the_hub_must_speak_in_turn_before_the_welcome(message: wm.HubMessage) -> None:
    with pytest.raises(OutOfTurn, match="not allowed while the session is greeting"):
        UplinkSession(hello()).receive(encode(message), now_s=NOW_S)


def test_the_hub_must_speak_in_turn_after_the_welcome() -> None:
    uplink, _ = running_pair()
    with pytest.raises(OutOfTurn):
        uplink.receive(encode(wm.Welcome(1, 0, "hub1", 0, 0, NOW_S)), now_s=NOW_S)
    with pytest.raises(Undecodable):
        uplink.receive(b"\x00", now_s=NOW_S)


def test_a_node_that_does_not_introduce_itself_is_shown_out() -> None:
    ingest = IngestSession()
    assert not ingest.introduced
    with pytest.raises(SessionClosed):
        _ = ingest.hello
    event = say(ingest, live())
    assert isinstance(event, MessageRefused)
    assert (event.code, event.fatal) == ("out_of_turn", True)


def test_a_welcome_needs_an_introduction() -> None:
    with pytest.raises(SessionClosed):
        IngestSession().welcome(hub_id="hub1", resume_after=RESUME, now_s=NOW_S)


def test_a_second_hello_is_refused_and_the_session_goes_on() -> None:
    ingest = running_ingest()
    assert ingest.introduced
    event = say(ingest, hello())
    assert isinstance(event, MessageRefused)
    assert not event.fatal


def test_a_bad_item_keeps_its_place_as_a_dropped_record() -> None:
    ingest = running_ingest()
    event = say(ingest, item(41, tracklet(box_rel=(0.5, 0, 0.1, 1))))
    assert event == ItemArrived(ItemKey(3, 41), wm.Dropped("refused_box", 41, 41, 1))
    (refusal,) = ingest.take_outgoing()
    assert decode_hub_message(refusal) == wm.Refused("box", "item 3/41: the box does not lie in the picture", False)


@pytest.mark.parametrize(("ahead_s", "refused"), [(0.0, True), (-9000.0, True), (9000.0, False), (math.nan, True)])
def test_an_item_of_a_node_whose_clock_is_ahead_is_not_in_the_future(ahead_s: float, refused: bool) -> None:
    """The hub corrects its times; a clock that was behind may have been set since the hello."""
    ingest = IngestSession()
    ingest.receive(encode(hello(sent_at_s=NOW_S + ahead_s)), now_s=NOW_S)
    ingest.welcome(hub_id="hub1", resume_after=ItemKey(3, 0), now_s=NOW_S)
    assert ingest.first_offset_s == (0.0 if math.isnan(ahead_s) else -ahead_s)
    late = wm.CoverageGap("cam0", NOW_S + 8000, NOW_S + 8100, "lost")
    arrived = ingest.receive(encode(item(1, late)), now_s=NOW_S)
    assert isinstance(arrived, ItemArrived)
    assert isinstance(arrived.content, wm.Dropped) == refused


def test_a_bad_live_message_is_refused_by_name() -> None:
    event = say(running_ingest(), live(camera_id="cam9"))
    assert isinstance(event, MessageRefused)
    assert (event.code, event.fatal) == ("unknown_camera", False)


def test_repeated_abuse_closes_the_session() -> None:
    ingest = running_ingest()
    events = [ingest.receive(b"\xc1", now_s=NOW_S) for _ in range(MAX_REFUSALS)]
    assert [event.fatal for event in events if isinstance(event, MessageRefused)] == [False] * (MAX_REFUSALS - 1) + [
        True
    ]
    assert ingest.state is IngestState.CLOSED


@pytest.mark.parametrize(
    ("first", "missing"),
    [
        (item(41), 0),
        (item(44), 3),
        (item(40), 0),
        (item(1, boot_epoch=4), 0),
        (item(3, boot_epoch=4), 2),
        (item(45, wm.Dropped("spool_full", 41, 45, 5)), 0),
        (item(45, wm.Dropped("spool_full", 43, 45, 3)), 2),
    ],
)
def test_items_that_never_came_are_noticed(first: wm.Item, missing: int) -> None:
    event = say(running_ingest(), first)
    assert isinstance(event, ItemArrived)
    assert event.missing == missing


def test_nothing_is_missing_from_a_node_that_this_hub_never_met() -> None:
    ingest = IngestSession()
    say(ingest, hello())
    ingest.welcome(hub_id="hub1", resume_after=ItemKey(0, 0), now_s=NOW_S)
    event = say(ingest, item(17))
    assert isinstance(event, ItemArrived)
    assert event.missing == 0


def test_an_acknowledgement_before_the_welcome_says_nothing() -> None:
    ingest = IngestSession()
    ingest.acknowledge(RESUME)
    ingest.leave(reason="the hub stops")
    assert ingest.take_outgoing() == []


def test_errors_say_what_is_wrong() -> None:
    assert issubclass(NewerProtocol, PeerError)
    assert str(OutOfTurn("Live", "waiting for hello")) == "'Live' is not allowed while the session is waiting for hello"


def test_the_hub_sets_cameras_and_hears_what_became_of_it() -> None:
    uplink, ingest = running_pair()
    configure = wm.Configure(12, (camera_config(),))
    assert ingest.ask(configure)
    (asked,) = ingest.take_outgoing()
    assert uplink.receive(asked, now_s=NOW_S) == ConfigureArrived(configure)
    assert uplink.send(wm.Configured(12, True))
    (answer,) = uplink.take_outgoing()
    assert ingest.receive(answer, now_s=NOW_S) == ConfiguredArrived(wm.Configured(12, True))


def test_the_hub_asks_for_a_still_and_gets_it() -> None:
    uplink, ingest = running_pair()
    assert ingest.ask(wm.StillWanted("cam0"))
    (asked,) = ingest.take_outgoing()
    assert uplink.receive(asked, now_s=NOW_S) == StillAsked("cam0")
    assert uplink.send(still())
    (answer,) = uplink.take_outgoing()
    assert ingest.receive(answer, now_s=NOW_S) == StillArrived(still())


def test_the_hub_asks_who_is_in_a_picture_and_hears_it() -> None:
    uplink, ingest = running_pair()
    examine = wm.Examine(7, b"\xff\xd8\xff\xd9")
    assert ingest.ask(examine)
    (asked,) = ingest.take_outgoing()
    assert uplink.receive(asked, now_s=NOW_S) == ExamineAsked(examine)
    assert uplink.send(examined())
    (answer,) = uplink.take_outgoing()
    assert ingest.receive(answer, now_s=NOW_S) == ExaminedArrived(examined())


def test_an_older_node_is_not_asked_what_it_cannot_understand() -> None:
    questions = (wm.StillWanted("cam0"), wm.Examine(7, b""))
    ingest = IngestSession()
    assert not any(ingest.ask(question) for question in questions)
    for minor, understood in enumerate(([False, False], [True, False], [True, True])):
        ingest = IngestSession()
        say(ingest, hello(protocol_minor=minor))
        ingest.welcome(hub_id="hub1", resume_after=RESUME, now_s=NOW_S)
        ingest.take_outgoing()
        assert [ingest.ask(question) for question in questions] == understood
        assert len(ingest.take_outgoing()) == sum(understood)


def test_an_older_hub_hears_of_crossings_and_stays_as_losses_in_their_place() -> None:
    uplink = UplinkSession(hello())
    uplink.take_outgoing()
    uplink.receive(encode(wm.Welcome(1, 0, "hub1", 3, 40, NOW_S)), now_s=NOW_S)
    assert not uplink.send(still())
    for seq, content in enumerate((crossing(), stay(), tracklet()), start=41):
        uplink.send_item(item(seq, content))
    sent = [decode_node_message(frame) for frame in uplink.take_outgoing()]
    assert sent == [
        item(41, wm.Dropped("hub_too_old", 41, 41, 1)),
        item(42, wm.Dropped("hub_too_old", 42, 42, 1)),
        item(43),
    ]


def test_a_hub_of_today_gets_crossings_and_stays() -> None:
    uplink = UplinkSession(hello())
    uplink.take_outgoing()
    uplink.receive(encode(wm.Welcome(1, 1, "hub1", 3, 40, NOW_S)), now_s=NOW_S)
    uplink.send_item(item(41, crossing()))
    assert [decode_node_message(frame) for frame in uplink.take_outgoing()] == [item(41, crossing())]


def test_the_hub_says_how_fast_to_replay() -> None:
    uplink, ingest = UplinkSession(hello()), IngestSession()
    ingest.receive(uplink.take_outgoing()[0], now_s=NOW_S)
    ingest.welcome(hub_id="hub1", resume_after=RESUME, now_s=NOW_S, items_per_s=50.0)
    (welcome,) = ingest.take_outgoing()
    assert uplink.receive(welcome, now_s=NOW_S) == Welcomed("hub1", RESUME, 50.0)
