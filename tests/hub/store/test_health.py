"""How cameras did is kept for a week, whatever becomes of the hub."""

from hub_fakes import NOON_S, FakeClock, health, hello, live, row
from ruid_hub.observations import HealthSample
from ruid_hub.site import Site
from ruid_hub.store import Arrival, Store
from ruid_hub.store.rows import DAY_S

CAMERA = "node-1/cam"
WELL = HealthSample(NOON_S, 9.5, 51.0, 40.0, 80, 3)
DOWN = HealthSample(NOON_S + 60, 0.0, None, None, None, None, up=False)


def test_what_was_kept_comes_back_in_order(store: Store):
    store.record_arrivals([Arrival("node-1", cameras={CAMERA: "Door"})])
    store.record_health({CAMERA: WELL})
    store.record_health({CAMERA: DOWN})
    assert store.health_since(CAMERA, NOON_S - 1) == (WELL, DOWN)
    assert store.health_since(CAMERA, NOON_S) == (DOWN,)


def test_a_camera_that_the_store_does_not_know_has_none(store: Store):
    store.record_health({"nobody/cam": WELL})
    assert store.health_since("nobody/cam", 0.0) == ()


def test_it_goes_after_a_week(store: Store):
    store.commit([row(1)])
    store.record_health({CAMERA: WELL})
    assert store.sweep(NOON_S + 7 * DAY_S - 1).health_samples == 0
    assert store.sweep(NOON_S + 7 * DAY_S + 1).health_samples == 1


def test_the_site_tells_how_a_camera_does_and_that_it_does_not():
    site, clock = Site(), FakeClock(NOON_S)
    site.node_connected(hello(), clock.now_s)
    assert site.health_now(clock.now_s) == {}
    site.live("node-1", live(1, at_s=clock.now_s), clock.now_s)
    site.health("node-1", health(), clock.now_s)
    now = site.health_now(clock.now_s)[CAMERA]
    assert now.up
    assert now.cpu_percent is not None
    clock.now_s += 60
    site.tick(clock.now_s)
    later = site.health_now(clock.now_s)[CAMERA]
    assert (later.up, later.fps, later.cpu_percent, later.spool_items) == (False, 0.0, None, None)
