"""What a node's spool writes to its memory card: real appends and acknowledgements, the kernel's own account."""

import time
from pathlib import Path

import msgspec
import psutil

from ruid_core.wire.codec import encode
from ruid_core.wire.messages import Crossing, Tracklet
from ruid_edge.spool import Spool

_MB = 1e6
_ROOM_BYTES = 10**9


def spool_writes(folder: Path, template: Tracklet, *, passages: int, passages_per_day: int) -> dict[str, float]:
    """Let `passages` people pass, each one a tracklet and a crossing that the hub then acknowledges.

    Returns what that wrote, and what it comes to in a day; a day's traffic goes as fast as the disk takes it.
    """
    spool = Spool.open(folder, max_bytes=_ROOM_BYTES)
    process = psutil.Process()
    before, started_s, content_bytes = process.io_counters(), time.monotonic(), 0
    for number in range(passages):
        now_s = time.time()
        tracklet = msgspec.structs.replace(template, track_id=number, started_at_s=now_s - 2, ended_at_s=now_s)
        crossing = Crossing(tracklet.camera_id, "door", number, 1, now_s)
        content_bytes += len(encode(tracklet)) + len(encode(crossing))
        spool.append([tracklet])
        [key] = spool.append([crossing])
        spool.discard_through(key)
    after, took_s = process.io_counters(), time.monotonic() - started_s
    spool.close()
    each_bytes = (after.write_bytes - before.write_bytes) / passages
    return {
        "passages": passages,
        "content_bytes_each": round(content_bytes / passages),
        "written_bytes_each": round(each_bytes),
        "passages_per_day": passages_per_day,
        "written_mb_per_day": round(each_bytes * passages_per_day / _MB, 1),
        "seconds": round(took_s, 1),
    }
