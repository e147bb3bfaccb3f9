"""The hub's numbers for Prometheus, in a registry of their own."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ruid_hub.integrations.bridge import Integrations
from ruid_hub.live.feed import FeedCounts
from ruid_hub.site import CameraState, CameraView, Site
from ruid_hub.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS_S = (0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class HubMetrics:
    """One per hub. The service counts what passes by; what is a state is read when somebody scrapes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.messages = Counter("ruid_hub_messages", "Messages from nodes", ["kind"], registry=self.registry)
        self.refused = Counter(
            "ruid_hub_refused", "Messages and connections that were refused", ["code"], registry=self.registry
        )
        self.stored = Counter("ruid_hub_items_stored", "Items committed", registry=self.registry)
        self.missing = Counter(
            "ruid_hub_items_missing", "Items that never came and were not accounted for", registry=self.registry
        )
        self.duplicates = Counter("ruid_hub_items_duplicated", "Items that were there already", registry=self.registry)
        self.unrecorded = Counter(
            "ruid_hub_unrecorded", "Facts about cameras that no disk took", ["kind"], registry=self.registry
        )
        self.pictures = Counter(
            "ruid_hub_pictures", "Pictures to search by, by what became of them", ["outcome"], registry=self.registry
        )
        self.revisions = Counter(
            "ruid_hub_identity_revisions", "Tracks that were given to another identity", registry=self.registry
        )
        self.model_changes = Counter(
            "ruid_hub_model_changes",
            "Changes of the embedding model, each of which forgets everybody's look",
            registry=self.registry,
        )
        self.drifts = Counter(
            "ruid_hub_camera_drifts", "Changes of what a camera shows or how often", ["kind"], registry=self.registry
        )
        self.identity_latency_s = Histogram(
            "ruid_hub_identity_latency_seconds",
            "From the newest frame behind an observation to its identity",
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.commit_s = Histogram(
            "ruid_hub_commit_seconds",
            "One transaction of the store",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
            registry=self.registry,
        )

    def exposition(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self.registry)


class SiteCollector(Collector):
    """Reads the live picture, the store and the feed at scrape time."""

    def __init__(self, *, site: Site, store: Store, feed_counts: FeedCounts, clock: Callable[[], float]) -> None:
        self._site = site
        self._store = store
        self._feed_counts = feed_counts
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        view = self._site.view(self._clock())
        yield _gauge("ruid_site_people", "People in view now", view.people_now)
        yield _gauge("ruid_site_unique_people", "Different people so far", view.unique.count)
        yield from _camera_metrics(view.cameras)
        yield from _clock_metrics(view.cameras)
        counted = (
            ((node_id, event), times)
            for node_id, counters in list(self._site.node_counters.items())
            for event, times in counters.items()
        )
        yield _labelled("ruid_node_events", "What nodes counted since their boot", ("node", "event"), counted)
        yield _counter(
            "ruid_site_passed_over", "Messages about cameras of which there are too many", self._site.passed_over
        )
        yield from self._store_metrics()
        yield from self._feed_metrics()

    def _store_metrics(self) -> Iterator[Metric]:
        counts = self._store.counts()
        yield _gauge("ruid_store_observations", "Observations kept", counts.observations)
        yield _gauge("ruid_store_identities", "Identities kept", counts.identities)
        yield _gauge("ruid_store_gaps", "Coverage gaps kept", counts.gaps)
        yield _gauge("ruid_store_items_dropped", "Items that nodes gave up", counts.items_dropped)
        yield _gauge("ruid_store_bytes", "Size of the database and its log", counts.database_bytes)

    def _feed_metrics(self) -> Iterator[Metric]:
        counts = self._feed_counts
        yield _gauge("ruid_pages_open", "Pages that follow the live stream", counts.open_pages)
        yield _counter("ruid_pages_updates_sent", "Updates sent to pages", counts.sent)
        yield _counter("ruid_pages_failures", "Live pictures that could not be drawn", counts.failures)
        yield _counter("ruid_pages_updates_skipped", "Updates that slow pages never saw", counts.skipped)


def _camera_metrics(cameras: tuple[CameraView, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily("ruid_camera_up", "1 while the camera is heard", labels=["camera"])
    people = GaugeMetricFamily("ruid_camera_people", "People in view of the camera", labels=["camera"])
    fps = GaugeMetricFamily("ruid_camera_fps", "Frames a second", labels=["camera"])
    drops = CounterMetricFamily(
        "ruid_camera_frames_dropped", "Frames dropped since the node's boot", labels=["camera", "reason"]
    )
    for camera in cameras:
        up.add_metric([camera.camera], float(camera.state is CameraState.UP))
        people.add_metric([camera.camera], camera.people_now)
        fps.add_metric([camera.camera], camera.fps or 0.0)
        for reason, frames in camera.drops:
            drops.add_metric([camera.camera, reason], frames)
    yield from (up, people, fps, drops)


def _clock_metrics(cameras: tuple[CameraView, ...]) -> Iterator[Metric]:
    """One sample for each node, whichever of its cameras tells."""
    offset = GaugeMetricFamily("ruid_node_clock_offset_seconds", "What the node's clock lacks", labels=["node"])
    error = GaugeMetricFamily("ruid_node_clock_error_seconds", "How wrong the offset may be", labels=["node"])
    for node_id, camera in {camera.camera.rpartition("/")[0]: camera for camera in cameras}.items():
        if camera.clock_offset_s is not None and camera.clock_error_s is not None:
            offset.add_metric([node_id], camera.clock_offset_s)
            error.add_metric([node_id], camera.clock_error_s)
    yield from (offset, error)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value)


def _labelled(name: str, text: str, labels: Sequence[str], counted: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """A counter with a value for each set of labels."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, times in counted:
        family.add_metric(values, times)
    return family


class LinkCollector(Collector):
    """Reads at scrape time what the link to the nodes has counted, refusals of strangers included."""

    def __init__(self, counters: Mapping[str, int]) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        counted = (((event,), times) for event, times in list(self._counters.items()))
        yield _labelled("ruid_hub_link_events", "What happened on the link to the nodes", ("event",), counted)


class UpkeepCollector(Collector):
    """Reads the disk and what is on its way to other systems at scrape time."""

    def __init__(self, *, folder: Path, integrations: Integrations) -> None:
        self._folder = folder
        self._integrations = integrations

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        disk = shutil.disk_usage(self._folder)
        yield _gauge("ruid_disk_free_bytes", "Room on the disk of the state folder", disk.free)
        yield _gauge("ruid_disk_size_bytes", "Size of the disk of the state folder", disk.total)
        if self._integrations.mqtt is not None:
            yield _gauge("ruid_mqtt_connected", "1 while the broker is there", float(self._integrations.mqtt.connected))
            yield _counter("ruid_mqtt_published", "Messages to the broker", self._integrations.mqtt.published)
        queued = GaugeMetricFamily("ruid_alerts_queued", "Alerts on their way", labels=["target"])
        counted = CounterMetricFamily("ruid_alerts", "Alerts by what became of them", labels=["target", "outcome"])
        for outbox in self._integrations.outboxes:
            queued.add_metric([outbox.target.name], outbox.queued)
            counted.add_metric([outbox.target.name, "delivered"], outbox.counts.delivered)
            counted.add_metric([outbox.target.name, "retried"], outbox.counts.retried)
            counted.add_metric([outbox.target.name, "dropped"], outbox.counts.dropped)
        yield from (queued, counted)
