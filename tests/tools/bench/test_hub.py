"""The hub's benchmark fills a database that counts as it should."""

from pathlib import Path

from hub_fakes import NOON_S
from ruid_hub.counting import Bucket, Counting, Period
from ruid_hub.site import Site
from ruid_hub.store import open_store
from ruid_tools.bench.hub_filling import DAY_S, PARTS, TRACKS_PER_CROSSING, Filling, fill


def test_the_filled_database_is_one_that_a_hub_can_read(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    open_store(path).close()
    fill(path, Filling(observations=6000, cameras=5, days=2, until_s=NOON_S))
    store = open_store(path)
    counting = Counting(store=store, site=Site(), clock=lambda: NOON_S)
    period = Period(NOON_S - 2 * DAY_S, NOON_S)
    assert store.counts().observations == 6000
    assert counting.unique_visitors(period, Bucket.DAY).total.value == 200
    assert sum(line.entered + line.left for line in counting.crossings(period, Bucket.DAY)) == (
        6000 // PARTS // TRACKS_PER_CROSSING
    )
    assert counting.coverage(period).share == 1.0
    store.close()
