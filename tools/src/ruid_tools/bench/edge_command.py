"""`ruid bench edge`: how fast a node is, against what a user would assemble."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from ruid_tools.bench.edge import EdgeBenchSettings, bench_edge
from ruid_tools.footage import CLIPS_DIR


def edge(
    *,
    source: list[Path] | None = None,
    threads: int = 2,
    frames: int = 400,
    detector: str = "accurate",
    peer_detector: Path | None = None,
    peer_embedder: Path | None = None,
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
        A ReID network for the peer; it runs on every person in every frame.
    json
        Print one JSON document and nothing else.
    """
    clips = source or [CLIPS_DIR / "west.mp4", CLIPS_DIR / "east.mp4"]
    settings = EdgeBenchSettings(
        detector=detector, peer_detector=peer_detector, peer_embedder=peer_embedder, threads=threads, most_frames=frames
    )
    report = bench_edge(clips, settings)
    if json:
        Console().out(msgspec.json.encode(report).decode(), highlight=False)
    else:
        _tell(report, Console())


def _tell(report: dict[str, Any], console: Console) -> None:
    contestants = [report[name] for name in ("ruid", "peer") if name in report]
    table = Table("", *(figures["name"] for figures in contestants), title=f"{report['threads']} threads")
    for row in ("frames", "fps", "cpu_s_per_frame", "embeddings_per_frame"):
        table.add_row(row, *(str(figures[row]) for figures in contestants))
    for percentile in ("p50", "p95"):
        table.add_row(f"frame {percentile} ms", *(str(figures["frame_ms"][percentile]) for figures in contestants))
    for stage in ("detect", "track", "embed"):
        table.add_row(f"{stage} p50 ms", *(str(figures["stage_ms"][stage]["p50"]) for figures in contestants))
    console.print(table)
    if "peer" in report:
        console.print(
            f"{report['times_the_peers_fps']} times the peer's frames per second "
            f"with {report['share_of_the_peers_cpu']:.0%} of its CPU per frame"
        )
