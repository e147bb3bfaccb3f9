"""The card of the shipped embedder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ruid_edge.inference import ModelCard
from ruid_edge.inference.cards import CARD_SUFFIX, file_sha256
from ruid_tools.models.golden import SIMILARITY_MIN, golden_values
from ruid_tools.models.reid_files import CARD_NAME

_SOURCE = (
    "OSNet x0.5 (Zhou et al., ICCV 2019) with linear context transform gates, trained by `ruid train reid`; begun from "
    "the weights of Intel's person-reidentification-retail-0287 (Open Model Zoo, Apache-2.0, changed: other input "
    "size, trained on), with person-reidentification-retail-0277 (Apache-2.0) as the teacher"
)
_DATA = (
    "Identities of the training parts of CUHK03 (detected boxes, and camera pair 1 at original resolution), of CUHK01 "
    "(both: academic research, respect the privacy of those shown) and of Con-ReID (MIT). Without identities, for "
    "imitation of the teacher only: persons cut by YOLOX-nano out of street pictures (TUD pedestrian footage, "
    "research), COCO128, Intel's one-by-one-person-detection (CC BY 4.0) and OpenCV's vtest.avi; and composites of two "
    "of all these training crops. What Intel trained its networks on is not published with them. No test picture was "
    "used, neither with nor without its identity."
)


def write_card(model: Path, figures: Mapping[str, Any], facts: Mapping[str, float]) -> Path:
    """Write the card beside the 8-bit file and return it.

    `figures` are what `measure_reid` returned, or empty; `facts` what the workshop counted.
    """
    sha256 = file_sha256(model)
    card = ModelCard(
        name=CARD_NAME,
        model_id=f"{CARD_NAME}-{sha256[:8]}",
        file=model.name,
        sha256=sha256,
        source=_SOURCE,
        licence="Apache-2.0",
        data=_DATA,
        input={
            "name": "images",
            "type": "uint8",
            "shape": "batch x 160 x 64 x 3, BGR 0..255",
            "crop": "one person, scaled bilinearly without keeping its aspect",
        },
        output={"embeddings": "batch x 256, unit length", "dim": 256},
        accuracy=figures.get("accuracy", "not measured"),
        speed={**facts, **figures.get("speed", {})},
        reproduce="ruid train reid, then ruid models build reid: docs/training-reid.md",
        golden={"values": golden_values(model), "similarity_min": SIMILARITY_MIN},
    )
    path = model.with_name(CARD_NAME + CARD_SUFFIX)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    return path
