"""Items of many nodes are committed together, and each node hears of it."""

import asyncio
from collections.abc import Sequence

import pytest

from core.wire.builders import tracklet
from ruid_core.wire.uplink import ItemKey
from ruid_hub.ingest import GroupCommit, group_commit
from ruid_hub.recognition import ReceivedItem


class Node:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.safe: list[int] = []
        self.told = asyncio.Event()

    def acknowledge(self, key: ItemKey) -> None:
        self.safe.append(key.seq)
        self.told.set()


class Disk:
    """Keeps what was committed together."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []

    async def commit(self, items: Sequence[ReceivedItem]) -> None:
        self.commits.append([item.key.seq for item in items])


def item(seq: int) -> ReceivedItem:
    return ReceivedItem("node1", ItemKey(1, seq), tracklet(), 0.0, 0.0)


async def test_a_lone_item_is_committed_at_once_and_what_follows_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_APART_S", 0.3)
    disk, one, other = Disk(), Node(), Node()
    commits = GroupCommit(disk.commit)
    running = asyncio.create_task(commits.run())
    await commits.put(item(1), one)
    await asyncio.wait_for(one.told.wait(), 10)
    await commits.put(item(2), one)
    await asyncio.sleep(0)
    await commits.put(item(3), other)
    await asyncio.sleep(0)
    await commits.put(item(4), one)
    await asyncio.wait_for(other.told.wait(), 10)
    running.cancel()
    assert disk.commits == [[1], [2, 3, 4]]
    assert (one.safe, other.safe) == ([1, 4], [3])


async def test_nothing_waits_while_more_is_there_than_one_commit_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_APART_S", 3600.0)
    monkeypatch.setattr(group_commit, "_LARGEST_COMMIT", 2)
    disk, node, last = Disk(), Node(), Node()
    commits = GroupCommit(disk.commit)
    for seq in (1, 2, 3):
        await commits.put(item(seq), node)
    await commits.put(item(4), last)
    running = asyncio.create_task(commits.run())
    await asyncio.wait_for(last.told.wait(), 10)
    running.cancel()
    assert disk.commits == [[1, 2], [3, 4]]
    assert commits.waiting == 0
