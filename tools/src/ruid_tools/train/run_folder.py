"""The run folder: settings, journal (JSON lines), checkpoints and the plots made from the journal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

JOURNAL = "journal.jsonl"
CHECKPOINT = "checkpoint.pt"
SETTINGS = "settings.json"
WEIGHTS = "weights.npz"


def append_journal(run: Path, entry: Mapping[str, float | int | str]) -> None:
    """Add one line to the run's journal."""
    with (run / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(dict(entry)) + "\n")


def read_journal(run: Path) -> list[dict[str, Any]]:
    """Return the journal's entries; a last line cut short by a crash is passed over."""
    entries: list[dict[str, Any]] = []
    for line in (run / JOURNAL).read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries


def draw_plots(run: Path) -> Path | None:
    """Draw loss, learning rate and validation mAP into `curves.png`; None where matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional
    except ImportError:
        return None
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - only after the backend is chosen

    entries = read_journal(run)
    figure: Any
    figure, axes = plt.subplots(3, 1, figsize=(8, 9), sharex=True)
    for axis, prefix in zip(axes, ("loss", "learning_rate", "mAP"), strict=True):
        for name in sorted({key for entry in entries for key in entry if key.startswith(prefix)}):
            points = [(entry["step"], entry[name]) for entry in entries if name in entry]
            axis.plot(*zip(*points, strict=True), label=name)
        axis.legend()
    axes[-1].set_xlabel("step")
    figure.savefig(run / "curves.png", dpi=100)
    plt.close(figure)
    return run / "curves.png"
