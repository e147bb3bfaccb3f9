"""`ruid bench edge`: how fast a node is, against what a user would assemble."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_tools.bench.edge import EdgeBenchSettings, bench_edge
from ruid_tools.footage import CLIPS_DIR


def edge(  # noqa: PLR0913 - each is an option of the command
    *,
    source: list[Path] | None = None,
    threads: int = 2,
    frames: int = 400,
    detector: str = "accurate",
    peer_detector: Path | None = None,
    peer_embedder: list[Path] | None = None,
    gt: Path | None = None,
    paced_s: float = 10.0,
    soak_s: float = 0.0,
    json: bool = False,
) -> None:
    """Time a node's work on footage: frames per second, stages, CPU and memory, beside a peer in the same run.

    Parameters
    ----------
    source
        Clips to work on, one after the other; the demo's two if not given.
    threads
        Threads of each network.
    frames
        At most so many frames of each clip.
    detector
        Ours: accurate, fast or the path of an ONNX file.
    peer_detector
        An ONNX detector for the peer, such as YOLOX-nano; it runs with supervision's ByteTrack (pip install
        supervision).
    peer_embedder
        A ReID network for the peer, .onnx or OpenVINO's .xml; it runs on every person in every frame. Once for
        each peer.
    gt
        The truth of the one source in MOT format: everybody's tracks are scored against it.
    paced_s
        Play the first clip in real time for so long, to time capture to wire; 0 leaves it out.
    soak_s
        Loop the first clip for so long and watch the memory; 0 leaves it out.
    json
        Print one JSON document and nothing else.
    """
    clips = source or [CLIPS_DIR / "west.mp4", CLIPS_DIR / "east.mp4"]
    settings = EdgeBenchSettings(
        detector=detector,
        peer_detector=peer_detector,
        peer_embedders=tuple(peer_embedder or ()),
        truth=gt,
        threads=threads,
        most_frames=frames,
        paced_s=paced_s,
        soak_s=soak_s,
    )
    report = bench_edge(clips, settings)
    if json:
        Console().out(msgspec.json.encode(report).decode(), highlight=False)
    else:
        _tell(report, Console())


def _tell(report: dict[str, Any], console: Console) -> None:
    contestants = [report["ruid"], report["empty"] | {"name": "ruid, empty scene"}, *report["peers"]]
    table = Table("", *(figures["name"] for figures in contestants), title=f"{report['threads']} threads")
    for row in ("frames", "people_per_frame", "fps", "cpu_s_per_frame", "embeddings_per_frame"):
        table.add_row(row, *(str(figures[row]) for figures in contestants))
    for percentile in ("p50", "p95"):
        table.add_row(f"frame {percentile} ms", *(str(figures["frame_ms"][percentile]) for figures in contestants))
    for stage in report["ruid"]["stage_ms"]:
        cells = (figures["stage_ms"].get(stage, {}) for figures in contestants)
        table.add_row(f"{stage} p50 / p95 ms", *(f"{c['p50']} / {c['p95']}" if c else "" for c in cells))
    for score in report["ruid"].get("tracks", ()):
        table.add_row(score, *(str(figures.get("tracks", {}).get(score, "")) for figures in contestants))
    console.print(table)
    for name in ("decode_ms", "capture_to_wire", "allocations", "soak", "peak_memory_mb"):
        if name in report:
            console.print(f"{name}: {report[name]}", highlight=False)
    console.print(f"an empty scene takes {report['empty']['share_of_the_busy_cpu']:.1%} of the CPU of this one")
    for peer in report["peers"]:
        console.print(
            f"{peer['times_its_fps']} times the frames per second of {peer['name']} "
            f"with {peer['share_of_its_cpu']:.0%} of its CPU per frame"
        )
