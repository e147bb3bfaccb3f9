"""A node without a camera: the real adoption and uplink, whatever its spool is fed with."""

import time
from dataclasses import dataclass
from pathlib import Path

from ruid_core.wire import messages as wm
from ruid_edge import __version__
from ruid_edge.enrolment import Credentials, hub_finder
from ruid_edge.spool import Spool
from ruid_edge.uplink import Answers, Applicant, Uplink
from ruid_tools.fleet.traffic import CAMERA_ID, MODEL_ID

_SIZE_PX = (640, 480)


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Who a simulated node is and where it finds its hub; `dim` is the size of its embeddings."""

    name: str
    folder: Path
    hub_url: str
    join_file: str
    dim: int


def make_uplink(plan: NodePlan, spool: Spool) -> Uplink:
    """The node's uplink; it asks to be let in where it has not been before. It has no stills and takes any wish."""
    applicant = Applicant(
        plan.name,
        Credentials.open(plan.folder / "identity"),
        join_file=plan.join_file,
        code_file=plan.folder / "adoption-code.txt",
    )
    started_s = time.monotonic()

    def configure(told: wm.Configure) -> wm.Configured:
        return wm.Configured(told.revision, accepted=True)

    async def still(camera_id: str) -> wm.Still:
        return wm.Still(camera_id, 0.0, b"", "this camera is simulated")

    answers = Answers(
        hello=lambda: _hello(plan, spool),
        health=lambda: _health(spool, uptime_s=time.monotonic() - started_s),
        configure=configure,
        still=still,
    )
    return Uplink(hub=hub_finder(plan.hub_url), applicant=applicant, spool=spool, answers=answers)


def _hello(plan: NodePlan, spool: Spool) -> wm.Hello:
    return wm.Hello(
        protocol_major=wm.PROTOCOL_MAJOR,
        protocol_minor=wm.PROTOCOL_MINOR,
        node_id=spool.node_id,
        node_name=plan.name,
        boot_epoch=spool.boot_epoch,
        software_version=__version__,
        embedding_model_id=MODEL_ID,
        embedding_dim=plan.dim,
        detector_model_id=MODEL_ID,
        cameras=(wm.CameraInfo(CAMERA_ID, plan.name, *_SIZE_PX),),
        sent_at_s=time.time(),
    )


def _health(spool: Spool, *, uptime_s: float) -> wm.Health:
    now_s, state = time.time(), spool.state
    camera = wm.CameraHealth(
        camera_id=CAMERA_ID,
        capturing=True,
        fps=10.0,
        last_frame_at_s=now_s,
        frames=int(10 * uptime_s),
        detections=0,
        tracklets=state.appended,
        drops={},
        stages=(),
    )
    return wm.Health(
        sent_at_s=now_s,
        uptime_s=uptime_s,
        cameras=(camera,),
        spool_items=state.items,
        spool_bytes=state.content_bytes,
        queues={},
        counters={"items_spooled": state.appended, "spool_dropped_items": state.dropped_items},
        cpu_percent=0.0,
        memory_mb=0.0,
    )
