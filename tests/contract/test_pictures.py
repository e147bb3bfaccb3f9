"""A picture on its way from the hub to a node and the answer back: real uplink, real ingest, real TLS sockets."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from core.wire.builders import EMBEDDING, hello, person_found
from link_fakes import Hub, Serving, member, serving, talking, uplinking, wait_bytes
from ruid_core.wire import messages as wm
from ruid_core.wire.codec import decode_hub_message, encode
from ruid_core.wire.pictures import MAX_PICTURE_BYTES
from ruid_edge.spool import Spool
from ruid_hub.nodes import NobodyLooked, PictureRefused, PictureUnusable, pictures

PICTURE = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x80\x00\x40\x01\x01\x11\x00\xff\xd9"
"""What a JPEG of 64 × 128 begins and ends with."""
Look = Callable[[wm.Examine], Awaitable[wm.Examined]]


@pytest.fixture
def hub(tmp_path: Path) -> Generator[Hub]:
    opened = Hub.open(tmp_path / "hub")
    yield opened
    opened.store.close()


def sees(*people: wm.PersonFound, refusal: str = "", asked: list[wm.Examine] | None = None) -> Look:
    async def look(examine: wm.Examine) -> wm.Examined:
        if asked is not None:
            asked.append(examine)
        return wm.Examined(examine.request_id, "reid-1", people, refusal)

    return look


async def connect(stack: AsyncExitStack, hub: Hub, link: Serving, folder: Path, look: Look) -> None:
    """A node that looks at pictures like this."""
    spool = stack.enter_context(opened(folder))
    before = hub.said.count("connected Entrance")
    await stack.enter_async_context(uplinking(spool, link.url, folder, examine=look))
    async with asyncio.timeout(10):
        while hub.said.count("connected Entrance") == before:  # noqa: ASYNC110 - that is what polling is
            await asyncio.sleep(0.01)


@contextmanager
def opened(folder: Path) -> Generator[Spool]:
    folder.mkdir()
    spool = Spool.open(folder / "spool", max_bytes=10**7)
    yield spool
    spool.close()


async def refusal(link: Serving, picture: bytes = PICTURE, *, model_id: str = "reid-1") -> str:
    with pytest.raises(PictureRefused) as refused:
        await link.register.people_in(picture, model_id=model_id)
    return refused.value.code


async def test_a_node_says_who_is_in_a_picture(hub: Hub, tmp_path: Path) -> None:
    asked: list[wm.Examine] = []
    async with serving(hub) as link, AsyncExitStack() as stack:
        await connect(stack, hub, link, tmp_path / "one", sees(person_found(), asked=asked))
        largest = PICTURE + b"\0" * (MAX_PICTURE_BYTES - len(PICTURE))
        (person,) = await link.register.people_in(largest, model_id="reid-1")
        assert [examine.picture for examine in asked] == [largest]
        assert person.box_rel == (0.1, 0.2, 0.3, 0.4)
        assert np.allclose(person.embedding, EMBEDDING[0], atol=1e-3)
        assert person.thumbnail_jpeg == b"\xff\xd8"
        assert not link.server.counters["answers_unasked"]


async def test_nodes_are_asked_in_turns_and_another_where_one_is_busy(hub: Hub, tmp_path: Path) -> None:
    first: list[wm.Examine] = []
    second: list[wm.Examine] = []
    async with serving(hub) as link, AsyncExitStack() as stack:
        await connect(stack, hub, link, tmp_path / "one", sees(person_found(), asked=first))
        await connect(stack, hub, link, tmp_path / "two", sees(person_found(), asked=second))
        for _ in range(4):
            await link.register.people_in(PICTURE, model_id="reid-1")
        assert (len(first), len(second)) == (2, 2)
        await connect(stack, hub, link, tmp_path / "three", sees(refusal="busy"))
        await link.register.people_in(PICTURE, model_id="reid-1")
        assert len(first) + len(second) == 5


@pytest.mark.parametrize("name", ["busy", "unavailable", "something_new"])
async def test_where_no_node_looks_the_reason_is_named(hub: Hub, tmp_path: Path, name: str) -> None:
    async with serving(hub) as link, AsyncExitStack() as stack:
        assert await refusal(link) == "no_node"
        await connect(stack, hub, link, tmp_path / "one", sees(refusal=name))
        assert await refusal(link) == {"something_new": "unavailable"}.get(name, name)


@pytest.mark.parametrize("name", ["nobody", "picture_format"])
async def test_what_is_wrong_with_the_picture_is_wrong_at_every_node(hub: Hub, tmp_path: Path, name: str) -> None:
    asked: list[wm.Examine] = []
    async with serving(hub) as link, AsyncExitStack() as stack:
        for node in ("one", "two"):
            await connect(stack, hub, link, tmp_path / node, sees(refusal=name, asked=asked))
        with pytest.raises(PictureUnusable) as refused:
            await link.register.people_in(PICTURE, model_id="reid-1")
        assert (refused.value.code, len(asked)) == (name, 1)


async def test_what_cannot_be_a_picture_goes_to_no_node(hub: Hub, tmp_path: Path) -> None:
    asked: list[wm.Examine] = []
    async with serving(hub) as link, AsyncExitStack() as stack:
        await connect(stack, hub, link, tmp_path / "one", sees(person_found(), asked=asked))
        assert await refusal(link, b"GIF89a") == "picture_format"
        assert await refusal(link, PICTURE.replace(b"\x00\x80", b"\x7f\xff")) == "picture_size"
        assert await refusal(link, PICTURE + b"\0" * MAX_PICTURE_BYTES) == "picture_bytes"
        assert asked == []


async def test_only_nodes_that_describe_people_as_the_hub_has_learned_are_asked(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link, AsyncExitStack() as stack:
        await connect(stack, hub, link, tmp_path / "one", sees(person_found()))
        assert await refusal(link, model_id="reid-2") == "other_model"
        assert len(await link.register.people_in(PICTURE, model_id="")) == 1


async def test_an_older_node_is_not_asked(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello(protocol_minor=1)))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Welcome)
            assert await refusal(link) == "too_old"


async def test_a_node_that_goes_away_meanwhile_leaves_it_to_another(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link, AsyncExitStack() as stack:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Welcome)
            await connect(stack, hub, link, tmp_path / "one", sees(person_found()))
            asking = asyncio.create_task(link.register.people_in(PICTURE, model_id="reid-1"))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Examine)
        assert len(await asyncio.wait_for(asking, 10)) == 1


async def test_an_answer_that_comes_too_late_or_unasked_is_counted_and_no_more(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "EXAMINED_WITHIN_S", 0.2)
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Welcome)
            assert await refusal(link) == "late"
            asked = decode_hub_message(await wait_bytes(node))
            assert isinstance(asked, wm.Examine)
            for request_id in (asked.request_id, 99):
                await node.send(encode(wm.Examined(request_id, "reid-1", (person_found(),))))
            await node.send(encode(wm.Goodbye("done")))
            await hub.hears("gone: done")
            assert link.server.counters["answers_unasked"] == 2


async def test_an_answer_that_cannot_be_is_refused_by_name(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "EXAMINED_WITHIN_S", 0.5)
    async with serving(hub) as link, AsyncExitStack() as stack:
        await connect(stack, hub, link, tmp_path / "one", sees(person_found(embedding=b"\0" * 16)))
        assert await refusal(link) == "late"
        assert "refused embedding_norm" in hub.said


async def test_so_many_pictures_at_once_and_no_more(hub: Hub, tmp_path: Path) -> None:
    async with serving(hub) as link:
        context = (await member(link, hub, tmp_path)).member_context()
        async with talking(link, context) as node:
            await node.send(encode(hello()))
            assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Welcome)
            asking = [
                asyncio.create_task(link.register.people_in(PICTURE, model_id="reid-1"))
                for _ in range(pictures.AT_ONCE)
            ]
            for _ in asking:
                assert isinstance(decode_hub_message(await wait_bytes(node)), wm.Examine)
            assert await refusal(link) == "busy"
            await node.close()
        codes = [await asyncio.gather(asked, return_exceptions=True) for asked in asking]
        assert all(isinstance(error, NobodyLooked) for (error,) in codes)
