"""What is in the spool stays there until the hub has it."""

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.wire.builders import NOW_S, crossing, stay, tracklet
from ruid_core.wire.messages import Content, CoverageGap, Crossing, Dropped, Item, Tracklet
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import pack_embeddings
from ruid_edge.errors import SpoolUnusable
from ruid_edge.spool import Spool

START = ItemKey(-1, -1)
LARGE = 10**9


def everything(spool: Spool) -> list[Item]:
    return spool.after(START, limit=10_000)


def test_items_come_back_in_order_until_they_are_discarded(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, max_bytes=LARGE)
    keys = spool.append([tracklet(track_id=number) for number in range(5)])
    assert keys == tuple(ItemKey(spool.boot_epoch, seq) for seq in range(1, 6))
    assert [item.seq for item in spool.after(keys[1], limit=2)] == [3, 4]
    assert spool.discard_through(keys[2]) == 3
    assert [item.seq for item in everything(spool)] == [4, 5]
    assert (spool.state.items, spool.state.appended) == (2, 5)
    spool.close()


def test_what_was_not_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Spool.open(tmp_path, max_bytes=LARGE)
    first.append([tracklet(track_id=1)])
    node_id, boot_epoch = first.node_id, first.boot_epoch
    first.close()
    second = Spool.open(tmp_path, max_bytes=LARGE)
    second.append([tracklet(track_id=2)])
    assert (second.node_id, second.boot_epoch) == (node_id, boot_epoch + 1)
    assert [(item.boot_epoch, item.seq) for item in everything(second)] == [(boot_epoch, 1), (boot_epoch + 1, 1)]
    second.close()


def test_a_full_disk_leaves_the_spool_as_it_was_and_the_same_can_be_stored_later(tmp_path: Path) -> None:
    """No key is used up, so that the hub sees no gap; what SQLite says of a file at its largest is what a disk says."""
    connection = sqlite3.connect(tmp_path / "spool.db")
    spool = Spool(connection, max_bytes=LARGE)
    kept = spool.append([tracklet(track_id=number) for number in range(30)])
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    before = spool.state
    batch = [tracklet(track_id=number) for number in range(30, 130)]
    with pytest.raises(SpoolUnusable, match="disk is full"):
        spool.append(batch)
    assert spool.state == before
    connection.execute("PRAGMA max_page_count = 1000000")
    stored = spool.append(batch)
    assert [key.seq for key in stored] == list(range(kept[-1].seq + 1, kept[-1].seq + 101))
    assert [item.seq for item in everything(spool)] == list(range(1, 131))
    spool.close()


def test_what_append_returned_survives_being_killed(tmp_path: Path) -> None:
    """A child appends and says so, item by item, until it is killed; all that it told of is there."""
    child = (
        "import sys, os; from pathlib import Path; from core.wire.builders import tracklet;"
        "from ruid_edge.spool import Spool; spool = Spool.open(Path(sys.argv[1]), max_bytes=10**9)\n"
        "while True: print(spool.append([tracklet()])[0].seq, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", child, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(30)]
        process.kill()
    spool = Spool.open(tmp_path, max_bytes=LARGE)
    stored = [item.seq for item in everything(spool)]
    assert stored[: len(told)] == told
    assert len(stored) <= len(told) + 1000
    spool.close()


def test_pictures_go_before_items(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, max_bytes=30_000)
    spool.append([tracklet(thumbnail_jpeg=b"x" * 1000) for _ in range(40)])
    items = everything(spool)
    assert len(items) == 40
    assert spool.state.content_bytes <= 30_000
    assert 0 < spool.state.dropped_thumbnails < 40
    assert spool.state.dropped_items == 0
    stripped = [isinstance(item.content, Tracklet) and not item.content.thumbnail_jpeg for item in items]
    assert stripped == sorted(stripped, reverse=True)
    spool.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1500, 6000))
def test_a_full_spool_is_bounded_and_every_loss_is_on_record(batches: list[int], max_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for boot in range(2):
            spool = Spool.open(Path(folder), max_bytes=max_bytes)
            for batch in batches:
                spool.append([tracklet(thumbnail_jpeg=b"") for _ in range(batch)])
            items = everything(spool)
            assert spool.state.items == len(items)
            assert spool.state.content_bytes <= max_bytes or len(items) <= 2
            for boot_epoch in {item.boot_epoch for item in items}:
                assert accounted(item for item in items if item.boot_epoch == boot_epoch) == list(
                    range(1, sum(batches) + 1)
                )
            assert boot or len({item.boot_epoch for item in items}) == 1
            spool.close()


def accounted(items: Iterable[Item]) -> list[int]:
    """The sequence numbers that items stand for, those that were dropped included."""
    numbers: list[int] = []
    for item in items:
        content = item.content
        if isinstance(content, Dropped):
            assert content.items == content.last_seq - content.first_seq + 1
            numbers.extend(range(content.first_seq, content.last_seq + 1))
        else:
            numbers.append(item.seq)
    return numbers


def test_a_gap_is_as_durable_as_a_tracklet(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, max_bytes=LARGE)
    gap = CoverageGap("cam0", 1.6e9, 1.7e9, "unplugged")
    spool.append([gap])
    assert everything(spool)[0].content == gap
    spool.close()


def test_a_file_that_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"this is no database, but it is long enough to look at" * 20)
    spool = Spool.open(tmp_path, max_bytes=LARGE)
    assert spool.append([tracklet()])
    assert list(tmp_path.glob("spool.unreadable-*.db"))
    assert spool.state.put_aside == 1
    spool.close()
    again = Spool.open(tmp_path, max_bytes=LARGE)
    assert again.state.put_aside == 0
    again.close()


def test_a_folder_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpoolUnusable, match="RUID_STATE_DIR"):
        Spool.open(tmp_path / "file", max_bytes=LARGE)


def test_the_file_is_written_through(tmp_path: Path) -> None:
    """Full synchronisation is what makes an acknowledged append survive a power cut."""
    Spool.open(tmp_path, max_bytes=LARGE).close()
    connection = sqlite3.connect(tmp_path / "spool.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def several_embeddings(**changes: object) -> Tracklet:
    """A tracklet with four embeddings, the third of them the best."""
    rows = np.eye(8, dtype=np.float32)[:4]
    return tracklet(embeddings=pack_embeddings(rows), qualities=(0.2, 0.3, 0.9, 0.1), thumbnail_jpeg=b"", **changes)


def test_embeddings_beyond_the_best_go_before_tracklets(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, max_bytes=8_000)
    spool.append([several_embeddings() for _ in range(50)])
    items = everything(spool)
    assert len(items) == 50
    slim = [item.content for item in items if isinstance(item.content, Tracklet) and len(item.content.qualities) == 1]
    assert slim
    assert {content.qualities for content in slim} == {(0.9,)}
    assert {content.embeddings for content in slim} == {pack_embeddings(np.eye(8, dtype=np.float32)[2:3])}
    assert spool.state.dropped_embeddings == 3 * len(slim)
    assert spool.state.dropped_items == 0
    spool.close()


def test_what_counts_goes_last_and_on_record(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, max_bytes=4_000)
    for number in range(20):
        spool.append([*(tracklet(track_id=number) for _ in range(9)), crossing(track_id=number)])
    contents = [item.content for item in everything(spool)]
    assert sum(isinstance(content, Crossing) for content in contents) == 20
    assert spool.state.dropped_counts == 0
    assert spool.state.dropped_items > 0
    for number in range(400):
        spool.append([crossing(track_id=number), stay(track_id=number)])
    assert spool.state.dropped_counts > 0
    assert spool.state.content_bytes <= 4_000
    assert accounted(everything(spool)) == list(range(1, 20 * 10 + 800 + 1))
    assert spool.state.dropped_items == sum(
        item.content.items for item in everything(spool) if isinstance(item.content, Dropped)
    )
    spool.close()


def test_a_day_without_the_hub_is_bounded_and_accounted_for(tmp_path: Path) -> None:
    """24 hours in steps of a minute: 4 tracklets and 2 crossings each, with 600 kB of room."""
    now_s = [NOW_S]
    connection = sqlite3.connect(tmp_path / "day.db")
    connection.execute("PRAGMA synchronous = OFF")  # nobody cuts the power here
    spool = Spool(connection, max_bytes=600_000, clock=lambda: now_s[0])
    for minute in range(24 * 60):
        now_s[0] = NOW_S + 60 * minute
        times = {"started_at_s": now_s[0] - 2, "ended_at_s": now_s[0], "grabbed_at_s": now_s[0]}
        tracklets = [tracklet(track_id=number, thumbnail_jpeg=b"x" * 2000, **times) for number in range(4)]
        spool.append([*tracklets, crossing(at_s=now_s[0]), crossing(at_s=now_s[0], direction=-1)])
        assert spool.state.content_bytes <= 600_000
    contents: list[Content] = []
    after = START
    while batch := spool.after(after, limit=1000):
        contents += [item.content for item in batch]
        after = ItemKey(batch[-1].boot_epoch, batch[-1].seq)
    assert sum(isinstance(content, Crossing) for content in contents) == 24 * 60 * 2
    lost = sum(content.items for content in contents if isinstance(content, Dropped))
    kept = sum(isinstance(content, Tracklet) for content in contents)
    assert lost + kept == 24 * 60 * 4
    assert (spool.state.dropped_items, spool.state.dropped_counts) == (lost, 0)
    spool.close()


def test_pictures_and_embeddings_that_waited_too_long_go_and_counts_stay(tmp_path: Path) -> None:
    now_s = [NOW_S]
    spool = Spool(sqlite3.connect(tmp_path / "old.db"), max_bytes=LARGE, max_age_s=3600.0, clock=lambda: now_s[0])
    spool.append([tracklet(), crossing()])
    now_s[0] += 7200
    spool.append([tracklet(grabbed_at_s=now_s[0])])
    old, crossed, new = (item.content for item in everything(spool))
    assert isinstance(old, Tracklet)
    assert (old.embeddings, old.qualities, old.thumbnail_jpeg) == (b"", (), b"")
    assert crossed == crossing()
    assert isinstance(new, Tracklet)
    assert new.embeddings
    spool.close()


def test_a_device_that_takes_anothers_place_counts_on_from_there(tmp_path: Path) -> None:
    first = Spool.open(tmp_path, max_bytes=LARGE)
    first.append([tracklet()])
    first.close()
    spool = Spool.open(tmp_path, max_bytes=LARGE)
    spool.append([tracklet()])
    spool.take_place("other", after_boot_epoch=50)
    assert [(item.boot_epoch, item.seq) for item in everything(spool)] == [(51, 1), (52, 1)]
    assert spool.append([tracklet()]) == (ItemKey(52, 2),)
    spool.close()
    again = Spool.open(tmp_path, max_bytes=LARGE)
    assert (again.node_id, again.boot_epoch) == ("other", 53)
    again.close()
