"""The power goes at every moment at which the spool's files can differ: what it had taken is there afterwards."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from core.wire.builders import crossing, tracklet
from power_cut import Record, recorded
from ruid_core.wire.messages import Content, Crossing, Tracklet
from ruid_core.wire.uplink import ItemKey
from ruid_edge.spool import Spool

START = ItemKey(-1, -1)
FULL = 10**9
SMALL = 700


@dataclass
class Promises:
    """What the spool had promised by which step of the record: what it took, and what it was told to forget."""

    taken: list[tuple[int, ItemKey, Content]] = field(default_factory=list[tuple[int, ItemKey, Content]])
    forgotten: list[tuple[int, ItemKey]] = field(default_factory=list[tuple[int, ItemKey]])

    def kept_at(self, cut: int) -> dict[ItemKey, Content]:
        """What must be there: taken before the cut, and nobody had asked to forget it by then."""
        through = max((key for step, key in self.forgotten if step <= cut), default=START)
        return {key: content for step, key, content in self.taken if step <= cut and key > through}

    def all_at_last(self) -> dict[ItemKey, Content]:
        """What may be there: a batch that was being written at the cut has no answer yet."""
        return {key: content for _, key, content in self.taken}


def use(folder: Path, record: Record, promises: Promises, *, max_bytes: int) -> None:
    """Two boots of a node that stores a few items at a time, and hears now and then what the hub has."""
    draw = np.random.default_rng(7)
    for _ in range(2):
        spool = Spool.open(folder, max_bytes=max_bytes)
        for round_number in range(12):
            contents = [made(draw) for _ in range(draw.integers(1, 5))]
            keys = spool.append(contents)
            promises.taken += [(len(record), key, content) for key, content in zip(keys, contents, strict=True)]
            if round_number % 4 == 3:
                promises.forgotten.append((len(record), keys[0]))  # from now on both is right: there and gone
                spool.discard_through(keys[0])
        spool.close()


def made(draw: np.random.Generator) -> Content:
    number = int(draw.integers(10**6))
    return crossing(track_id=number) if draw.random() < 0.3 else tracklet(track_id=number)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Promises]:
    promises = Promises()
    with recorded() as record:
        use(tmp_path_factory.mktemp("spool") / "state", record, promises, max_bytes=FULL)
    return record, promises


@pytest.mark.parametrize("seed", [None, 1, 2], ids=["nothing unsynced", "some sectors", "others"])
def test_what_the_spool_took_survives_a_power_cut_at_every_step(
    life: tuple[Record, Promises], tmp_path: Path, seed: int | None
) -> None:
    record, promises = life
    chance = None if seed is None else np.random.default_rng(seed)
    for cut in range(len(record) + 1):
        folder = tmp_path / str(cut)
        record.restore(folder, cut=cut, chance=chance)
        spool = Spool.open(folder, max_bytes=FULL)
        found = {ItemKey(item.boot_epoch, item.seq): item.content for item in spool.after(START, limit=1000)}
        spool.close()
        assert promises.kept_at(cut).items() <= found.items(), f"lost at step {cut}"
        assert found.items() <= promises.all_at_last().items(), f"made up at step {cut}"
        assert not list(folder.glob("spool.unreadable-*")) or not promises.kept_at(cut)


def test_a_full_spool_gives_up_tracklets_and_no_crossing_whenever_the_power_goes(tmp_path: Path) -> None:
    promises = Promises()
    with recorded() as record:
        use(tmp_path / "state", record, promises, max_bytes=SMALL)
    given_up = 0
    for cut in range(0, len(record) + 1, 3):
        folder = tmp_path / str(cut)
        record.restore(folder, cut=cut)
        spool = Spool.open(folder, max_bytes=SMALL)
        found = {ItemKey(item.boot_epoch, item.seq): item.content for item in spool.after(START, limit=1000)}
        spool.close()
        crossings = {key for key, content in promises.kept_at(cut).items() if isinstance(content, Crossing)}
        assert crossings <= found.keys(), f"lost at step {cut}"
        lost = promises.kept_at(cut).keys() - found.keys()
        assert all(isinstance(promises.kept_at(cut)[key], Tracklet) for key in lost)
        given_up += len(lost)
    assert given_up
