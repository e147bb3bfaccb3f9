"""Two devices that start together settle on one hub, by a rule and by real announcements."""

import asyncio
import itertools

import pytest

from ruid_edge.enrolment.hubs import choose, listen
from ruid_hub.discovery import Announced, Announcer, Standing, gives_way, settle, watch_for_better
from ruid_hub.discovery.announcer import Presence

ALL = [
    Announced(hub_id, standing, has_nodes)
    for hub_id, standing, has_nodes in itertools.product("ab", Standing, (False, True))
]
HERE = ("127.0.0.1",)


def presence(hub_id: str, port: int = 8765) -> Presence:
    return Presence(hub_id, "f" * 64, port, HERE)


@pytest.mark.parametrize(("one", "other"), list(itertools.product(ALL, ALL)))
def test_exactly_one_of_two_stays_unless_both_have_nodes(one: Announced, other: Announced) -> None:
    if one.hub_id == other.hub_id:
        assert not gives_way(one, one)
        return
    assert gives_way(one, other) + gives_way(other, one) == (0 if one.has_nodes and other.has_nodes else 1)


def test_a_hub_with_nodes_is_not_given_up_for_one_without() -> None:
    assert gives_way(Announced("a", Standing.HUB, False), Announced("b", Standing.CANDIDATE, True))


async def test_two_candidates_settle_on_the_lower_id() -> None:
    low = asyncio.create_task(settle(presence("a" * 32), has_nodes=False, candidacy_s=2.0, away_s=3.0))
    high = asyncio.create_task(settle(presence("b" * 32), has_nodes=False, candidacy_s=2.0, away_s=3.0))
    done, waiting = await asyncio.wait((low, high), timeout=15, return_when=asyncio.FIRST_COMPLETED)
    assert done == {low}
    assert waiting == {high}
    async with Announcer(presence("a" * 32), standing=Standing.HUB, has_nodes=False):
        await asyncio.sleep(4)
        assert not high.done()
    await asyncio.wait_for(high, 15)  # the hub is gone for good: the other one takes its place


async def test_a_hub_without_nodes_gives_way_to_one_with() -> None:
    async with (
        Announcer(presence("a" * 32), standing=Standing.HUB, has_nodes=False) as newcomer,
        Announcer(presence("b" * 32), standing=Standing.HUB, has_nodes=True),
    ):
        better = await asyncio.wait_for(watch_for_better(newcomer, has_nodes=lambda: False), 15)
        assert better.hub_id == "b" * 32


async def test_a_node_finds_the_hub_that_it_belongs_to() -> None:
    async with (
        Announcer(presence("a" * 32, 1111), standing=Standing.HUB, has_nodes=False),
        Announcer(presence("b" * 32, 2222), standing=Standing.HUB, has_nodes=True),
    ):
        heard = await listen(hub_id=None, interfaces=HERE)
        assert {hub.hub_id for hub in heard} == {"a" * 32, "b" * 32}
        chosen = choose(heard, hub_id=None)
        assert chosen is not None
        assert chosen.url == "wss://127.0.0.1:2222"  # a new node goes where the others are
        [mine] = await listen(hub_id="a" * 32, interfaces=HERE)
        assert mine.url == "wss://127.0.0.1:1111"
