"""What follows from what the nodes say."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from core.wire.builders import DIM, health, hello, live, tracklet
from fakes import FirstPrototypeEngine
from ruid_core.identity import Evidence, Revision
from ruid_core.wire.uplink import ItemKey
from ruid_core.wire.vectors import pack_embeddings
from ruid_hub import service as service_module
from ruid_hub.health import health_over_time
from ruid_hub.identities import DriftAlarm, DriftKind, DriftWatch
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.recognition import ReceivedItem, Recogniser
from ruid_hub.service import HubService
from ruid_hub.site import CameraState, Site
from ruid_hub.store import Store, StoreWriteError, open_store


@dataclass
class Running:
    """A service with everything real but the engine and the nodes."""

    service: HubService
    site: Site
    store: Store
    engine: FirstPrototypeEngine
    metrics: HubMetrics

    def camera(self) -> Any:
        (camera,) = self.site.view(time.time()).cameras
        return camera


@pytest.fixture
async def running(tmp_path: Path) -> AsyncGenerator[Running]:
    store, site, engine, metrics = open_store(tmp_path / "hub.db"), Site(), FirstPrototypeEngine(), HubMetrics()
    service = HubService(
        site=site,
        store=store,
        recogniser=Recogniser(store=store, engine=engine),
        notifier=ChangeNotifier(),
        metrics=metrics,
    )
    await service.start()
    yield Running(service, site, store, engine, metrics)
    await service.close()
    store.close()


def item(seq: int, person: int = 0, *, age_s: float = 0.05, **changes: Any) -> ReceivedItem:
    now_s = time.time()
    content = tracklet(
        started_at_s=now_s - age_s - 1,
        ended_at_s=now_s - age_s,
        grabbed_at_s=now_s - age_s,
        embeddings=pack_embeddings(np.eye(DIM, dtype=np.float32)[person : person + 1]),
    )
    return ReceivedItem("node1", ItemKey(3, seq), msgspec.structs.replace(content, **changes), now_s, 0.0)


async def test_an_item_is_recognised_shown_and_counted(running: Running) -> None:
    running.service.connected(hello(), time.time())
    running.service.live("node1", live(), time.time())
    running.service.health("node1", health(), time.time())
    await running.service.commit([item(1), item(1)])
    view = running.site.view(time.time())
    assert (view.people_now, view.unique.count) == (1, 1)
    assert [person.identity_id for person in view.people] == ["person0"]
    assert view.people[0].thumbnail_id is not None
    assert 40 <= running.camera().latency.p50_ms < 5000
    text = running.metrics.exposition().decode()
    for line in (
        'ruid_hub_messages_total{kind="item"} 2.0',
        'ruid_hub_messages_total{kind="live"} 1.0',
        "ruid_hub_items_stored_total 1.0",
        "ruid_hub_items_duplicated_total 1.0",
        "ruid_hub_identity_latency_seconds_count 1.0",
    ):
        assert line in text


async def test_the_last_part_of_a_track_takes_it_out_of_view_and_says_nothing_of_latency(running: Running) -> None:
    running.service.connected(hello(), time.time())
    running.service.live("node1", live(), time.time())
    await running.service.commit([item(1, final=True, age_s=3.0)])
    assert running.site.view(time.time()).people_now == 0
    assert running.camera().latency is None


async def test_a_track_without_identity_is_stored_all_the_same(running: Running) -> None:
    await running.service.commit([item(1, embeddings=b"", qualities=())])
    assert running.site.view(time.time()).people == ()
    assert running.store.counts().observations == 1


async def test_second_thoughts_reach_the_page_and_the_store(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_CONSOLIDATE_EVERY_S", 0.01)
    running.service.connected(hello(), time.time())
    await running.service.commit([item(1, person=1)])
    running.engine.next_revisions = (Revision("node1/cam0/3/7", "person1", "person4"),)
    await while_running(running.service, lambda: running.site.view(time.time()).people[0].identity_id == "person4")
    assert [row.assignment.identity_id for row in running.store.observations_in_order() if row.assignment] == [
        "person4"
    ]


async def test_an_absence_is_kept_as_a_gap(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_TICK_S", 0.01)
    running.service.connected(hello(), time.time())
    running.service.live("node1", live(), time.time())
    running.service.disconnected("node1", time.time(), "connection lost", finished=False)
    await while_running(running.service, lambda: running.camera().state is CameraState.DOWN)
    running.service.live("node1", live(), time.time())
    await while_running(running.service, lambda: running.store.counts().gaps == 1)
    assert running.camera().last_gap.reason == "connection lost"


async def test_a_restart_remembers_people_and_cameras(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_HEARD_EVERY_S", 0.01)
    monkeypatch.setattr(service_module, "_TICK_S", 0.01)
    running.service.connected(hello(), time.time())
    running.service.live("node1", live(), time.time())
    await running.service.commit([item(1, person=2)])
    await while_running(
        running.service,
        lambda: [(held.name, held.last_heard_s is None) for held in running.store.cameras()] == [("Door", False)],
    )
    site, engine = Site(), FirstPrototypeEngine()
    again = HubService(
        site=site,
        store=running.store,
        recogniser=Recogniser(store=running.store, engine=engine),
        notifier=ChangeNotifier(),
        metrics=HubMetrics(),
    )
    await again.start()
    await again.close()
    view = site.view(time.time())
    assert engine.restored == 1
    assert [person.identity_id for person in view.people] == ["person2"]
    assert [(camera.name, camera.state) for camera in view.cameras] == [("Door", CameraState.DOWN)]


async def test_every_loss_is_counted_by_its_name_and_once(running: Running) -> None:
    await running.service.commit([item(1, embedding_model_id="another")])
    await running.service.commit([item(2, embeddings=b"\x00" * 2 * DIM)])
    running.service.missed(4)
    text = running.metrics.exposition().decode()
    assert 'ruid_hub_refused_total{code="WrongModel"} 1.0' in text
    assert 'ruid_hub_refused_total{code="refused_embedding_norm"} 1.0' in text
    assert "ruid_hub_items_missing_total 4.0" in text


async def test_a_change_of_the_embedding_model_is_counted(running: Running) -> None:
    await running.service.commit([item(seq, embedding_model_id="another") for seq in range(1, 9)])
    assert "ruid_hub_model_changes_total 1.0" in running.metrics.exposition().decode()


async def test_a_camera_that_has_changed_is_told_counted_and_kept(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def notice(_: DriftWatch, evidence: Evidence) -> tuple[DriftAlarm, ...]:
        return (DriftAlarm(evidence.camera, DriftKind.APPEARANCE, evidence.at_s, 0.8, 0.3),)

    monkeypatch.setattr(DriftWatch, "notice", notice)
    monkeypatch.setattr(service_module, "_DRIFTS", 1)
    await running.service.commit([item(1)])
    assert [drift.now for drift in running.service.drifts.values()] == [0.3]
    assert 'ruid_hub_camera_drifts_total{kind="appearance"} 1.0' in running.metrics.exposition().decode()
    other = ReceivedItem("node2", ItemKey(3, 1), item(1).content, time.time(), 0.0)
    await running.service.commit([other])
    assert [camera for camera, _ in running.service.drifts] == ["node2/cam0"]


async def test_how_a_camera_did_outlives_the_hub(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_HEALTH_EVERY_S", 0.02)
    running.service.connected(hello(), time.time())
    running.service.live("node1", live(), time.time())
    running.service.health("node1", health(), time.time())
    camera = running.camera().camera
    await while_running(running.service, lambda: len(running.store.health_since(camera, 0.0)) > 1)
    kept = running.store.health_since(camera, 0.0)
    told = await health_over_time(running.store, Site(), camera, since_s=0.0, at_s=time.time())
    assert all(sample.up for sample in kept)
    assert told == kept
    now = await health_over_time(running.store, running.site, camera, since_s=0.0, at_s=time.time())
    assert len(now) == len(kept) + 1


async def test_a_full_disk_does_not_end_the_duties(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []

    def full(_: Store, now_s: float) -> None:
        turns.append(now_s)
        raise StoreWriteError("hub.db", "the disk is full")

    monkeypatch.setattr(service_module, "_SWEEP_EVERY_S", 0.01)
    monkeypatch.setattr(Store, "sweep", full)
    await while_running(running.service, lambda: len(turns) > 1)


async def test_a_gap_that_a_full_disk_does_not_take_is_kept_until_it_does(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []
    record_gap = Store.record_gap

    def full_at_first(store: Store, node_id: str, gap: Any) -> None:
        attempts.append(node_id)
        if len(attempts) < 3:
            raise StoreWriteError("hub.db", "the disk is full")
        record_gap(store, node_id, gap)

    monkeypatch.setattr(service_module, "_TICK_S", 0.01)
    monkeypatch.setattr(Store, "record_gap", full_at_first)
    running.service.connected(hello(), time.time())
    for _ in range(2):
        running.service.live("node1", live(), time.time())
        running.service.disconnected("node1", time.time(), "connection lost", finished=False)
    running.service.live("node1", live(), time.time())
    await while_running(running.service, lambda: running.store.counts().gaps == 2)
    assert len(attempts) == 4


async def test_an_arrival_that_a_full_disk_does_not_take_is_counted(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreWriteError("hub.db", "the disk is full")

    monkeypatch.setattr(Store, "record_arrivals", full)
    monkeypatch.setattr(service_module, "_TICK_S", 0.01)
    running.service.connected(hello(), time.time())
    running.service.connected(hello(), time.time())
    counted = b'ruid_hub_unrecorded_total{kind="arrival"} 2.0'
    await while_running(running.service, lambda: counted in running.metrics.exposition())


async def test_nodes_that_come_together_are_kept_in_one_transaction(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_TICK_S", 0.01)
    before = running.store.revision
    for number in range(200):
        running.service.connected(hello(node_id=f"node{number}"), time.time())
    await while_running(running.service, lambda: len(running.store.cameras()) == 200)
    assert running.store.revision == before + 1


async def test_of_more_arrivals_than_are_remembered_the_oldest_is_counted(running: Running) -> None:
    for number in range(2003):
        running.service.connected(hello(node_id=f"node{number}"), time.time())
    assert 'ruid_hub_unrecorded_total{kind="arrival"} 3.0' in running.metrics.exposition().decode()


async def test_the_account_adds_up(running: Running) -> None:
    assert running.service.summary()["latency_capture_to_identity_ms"] == {"p50": 0.0, "p95": 0.0}
    await running.service.commit([item(1, person=1), item(2, person=2, track_id=8)])
    running.service.refused("box")
    account = running.service.summary()
    assert (account["observations"], account["identities"]) == (2, 2)
    assert account["items_stored"] == {"node1": 2}
    assert account["unique_estimate"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert 'ruid_hub_refused_total{code="box"} 1.0' in running.metrics.exposition().decode()


async def while_running(service: HubService, until: Any, *, within_s: float = 10.0) -> None:
    """Run the service's duties until something holds."""
    duties = asyncio.create_task(service.run())
    try:
        async with asyncio.timeout(within_s):
            while not until():  # noqa: ASYNC110 - polls to a deadline
                await asyncio.sleep(0.01)
    finally:
        duties.cancel()
        await asyncio.gather(duties, return_exceptions=True)
