"""Node and hub together, without sockets: whatever is cut, repeated or restarted, every item takes effect once.

The machine below owns the wires between an `UplinkSession` and an `IngestSession`. It may deliver or lose what is
on them, truncate a frame, cut the connection, restart either side at any moment, and let the hub commit late. In
the end it heals the network and looks at what the hub has.
"""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.wire.builders import NOW_S, hello, tracklet
from ruid_core.wire.ingest import IngestSession, IngestState, ItemArrived, NodeArrived
from ruid_core.wire.messages import Item
from ruid_core.wire.uplink import Acked, ItemKey, UplinkSession, UplinkState, Welcomed


class Delivery(RuleBasedStateMachine):
    """One node, one hub, and a network that does its worst."""

    @initialize()
    def begin(self) -> None:
        self.boot_epoch = 1
        self.seq = 0
        self.produced: list[ItemKey] = []
        self.spool: list[Item] = []  # durable at the node
        self.committed: list[ItemKey] = []  # durable at the hub
        self.waiting: list[ItemKey] = []  # arrived, not committed: lost when the hub restarts
        self.missing = 0
        self.connect()

    # --- the network -----------------------------------------------------------------------------------

    @rule()
    def connect(self) -> None:
        """A new connection: both sides begin new sessions, what was on the wires is gone."""
        self.uplink = UplinkSession(hello(boot_epoch=self.boot_epoch), window=3)
        self.ingest = IngestSession()
        self.sent_through = ItemKey(0, 0)
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.collect()

    @rule()
    def deliver_up(self) -> None:
        if self.up and self.ingest.state is not IngestState.CLOSED:
            self.hub_receives(self.up.popleft())

    @rule()
    def deliver_down(self) -> None:
        if self.down and self.uplink.state is not UplinkState.CLOSED:
            self.node_receives(self.down.popleft())

    @rule(keep=st.integers(0, 20))
    def truncate(self, keep: int) -> None:
        """Half a message arrives and the connection breaks: what a cut in the middle of a frame looks like."""
        if self.up and self.ingest.state is not IngestState.CLOSED:
            self.hub_receives(self.up.popleft()[:keep])
        self.connect()

    # --- the node --------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 4))
    def produce(self, count: int) -> None:
        for _ in range(count):
            self.seq += 1
            self.spool.append(Item(self.boot_epoch, self.seq, tracklet(track_id=self.seq)))
            self.produced.append(ItemKey(self.boot_epoch, self.seq))

    @rule()
    def send(self) -> None:
        for item in self.spool:
            key = ItemKey(item.boot_epoch, item.seq)
            if key > self.sent_through and self.uplink.room > 0:
                self.uplink.send_item(item)
                self.sent_through = key
        self.collect()

    @rule()
    def restart_node(self) -> None:
        self.boot_epoch += 1
        self.seq = 0
        self.connect()

    def node_receives(self, frame: bytes) -> None:
        event = self.uplink.receive(frame, now_s=NOW_S)
        if isinstance(event, Welcomed):
            self.forget_through(event.resume_after)
            self.sent_through = event.resume_after
        elif isinstance(event, Acked):
            self.forget_through(event.through)
        self.collect()

    def forget_through(self, through: ItemKey) -> None:
        self.spool = [item for item in self.spool if ItemKey(item.boot_epoch, item.seq) > through]

    # --- the hub ---------------------------------------------------------------------------------------

    @property
    def last_committed(self) -> ItemKey:
        return self.committed[-1] if self.committed else ItemKey(0, 0)

    def hub_receives(self, frame: bytes) -> None:
        event = self.ingest.receive(frame, now_s=NOW_S)
        if isinstance(event, NodeArrived):
            self.ingest.welcome(hub_id="hub1", resume_after=self.last_committed, now_s=NOW_S)
        elif isinstance(event, ItemArrived):
            self.waiting.append(event.key)
            self.missing += event.missing
        self.collect()

    @precondition(lambda self: self.waiting)
    @rule()
    def commit(self) -> None:
        """What is not new is a duplicate and has no effect; the acknowledgement covers both."""
        for key in self.waiting:
            if key > self.last_committed:
                self.committed.append(key)
        self.waiting.clear()
        self.ingest.acknowledge(self.last_committed)
        self.collect()

    @rule()
    def restart_hub(self) -> None:
        self.waiting.clear()
        self.connect()

    def collect(self) -> None:
        self.up.extend(self.uplink.take_outgoing())
        self.down.extend(self.ingest.take_outgoing())

    # --- what must hold --------------------------------------------------------------------------------

    @invariant()
    def nothing_is_committed_twice_or_out_of_order(self) -> None:
        assert self.committed == sorted(set(self.committed))

    @invariant()
    def the_hub_has_a_beginning_of_what_was_produced(self) -> None:
        assert self.committed == self.produced[: len(self.committed)]

    @invariant()
    def the_node_keeps_what_the_hub_does_not_have(self) -> None:
        kept = {ItemKey(item.boot_epoch, item.seq) for item in self.spool}
        assert set(self.produced) - set(self.committed) <= kept

    @invariant()
    def nobody_reports_a_loss_that_did_not_happen(self) -> None:
        assert self.missing == 0

    def teardown(self) -> None:
        """Once the network is well, everything arrives."""
        if not hasattr(self, "spool"):
            return
        self.connect()
        for _ in range(4 * len(self.produced) + 10):
            self.deliver_up()
            self.deliver_down()
            self.send()
            if self.waiting:
                self.commit()
        assert self.committed == self.produced
        assert self.spool == []


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
