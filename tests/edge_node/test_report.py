"""What a node says of itself to the hub."""

from dataclasses import asdict, fields

from ruid_edge.health.machine import Machine
from ruid_edge.report import health_message
from ruid_edge.spool import SpoolState
from ruid_edge.uplink.client import UplinkCounters


def test_everything_that_spool_and_uplink_count_reaches_the_hub_under_its_name() -> None:
    spool = SpoolState(*range(100, 100 + len(fields(SpoolState))))
    uplink = UplinkCounters(*range(200, 200 + len(fields(UplinkCounters))))
    told = health_message({}, spool, uplink, Machine(), queues={}, steps=(), now_s=1.7e9, uptime_s=1.0)
    expected = {f"spool_{name}": count for name, count in asdict(spool).items()}
    expected |= {f"uplink_{name}": count for name, count in asdict(uplink).items()}
    assert (told.spool_items, told.spool_bytes) == (expected.pop("spool_items"), expected.pop("spool_content_bytes"))
    assert told.counters["items_spooled"] == expected.pop("spool_appended")
    assert expected.items() <= told.counters.items()
