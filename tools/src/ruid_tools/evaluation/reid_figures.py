"""The figures on an embedder's card: accuracy of the float and the 8-bit file on each test set, and their speed."""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ruid_tools.evaluation.reid import score_set
from ruid_tools.evaluation.reid_networks import Pixels, ReidNetwork, open_reid_network
from ruid_tools.evaluation.reid_protocol import RetrievalScores

_ROUNDS = 100
_BATCHES = (1, 8)


def measure_reid(float_file: Path, int8_file: Path, sets: Sequence[Path]) -> dict[str, Any]:
    """Return `accuracy` by set and precision, and `speed`: how many times faster 8 bits are, one thread, one run."""
    networks = {"fp32": open_reid_network(float_file), "int8": open_reid_network(int8_file)}
    accuracy = {
        data.name: {precision: _rounded(score_set(network, data)) for precision, network in networks.items()}
        for data in sets
    }
    return {"accuracy": accuracy, "speed": measure_speed(networks["fp32"], networks["int8"])}


def measure_speed(
    float_network: ReidNetwork, int8_network: ReidNetwork, *, clock: Callable[[], float] = time.thread_time
) -> dict[str, Any]:
    """Time both in turns on the same crops: medians of processor time, as other programs hurt it least."""
    ratios: dict[str, Any] = {"threads": 1, "how": f"median processor time of {_ROUNDS} rounds, both files in turns"}
    for batch in _BATCHES:
        crops = np.full((batch, float_network.height_px, float_network.width_px, 3), 128, np.uint8)
        rounds = [
            (_seconds(float_network, crops, clock), _seconds(int8_network, crops, clock)) for _ in range(_ROUNDS + 1)
        ][1:]
        ratios[f"int8_times_faster_b{batch}"] = round(
            statistics.median(seconds for seconds, _ in rounds) / statistics.median(seconds for _, seconds in rounds), 2
        )
    return ratios


def _seconds(network: ReidNetwork, crops: Pixels, clock: Callable[[], float]) -> float:
    started_s = clock()
    network.run(crops)
    return clock() - started_s


def _rounded(scores: RetrievalScores) -> dict[str, float]:
    return {
        "mAP": round(scores.mean_average_precision, 4),
        "rank1": round(scores.rank1, 4),
        "rank5": round(scores.rank5, 4),
        "rank10": round(scores.rank10, 4),
    }
