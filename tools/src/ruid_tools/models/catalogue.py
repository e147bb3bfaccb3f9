"""Well-known networks under permissive licences, by name: where they come from and how they are read.

An entry with a `sha256` is verified by it. No entry has one yet, because upstream publishes none that could be
compared: the first download of such an entry is trusted and its checksum pinned (see `pins`).
"""

from dataclasses import dataclass

DETECTOR = "detector"
EMBEDDER = "embedder"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A network that users can add. `url` is empty where upstream offers no ONNX file; `page` says what there is.

    `sha256` is empty where no checksum of the file could be compared with the publisher's.
    """

    name: str
    kind: str
    family: str
    licence: str
    url: str
    page: str
    sha256: str = ""


_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX"
_NANODET = "https://github.com/RangiLyu/nanodet"
_PADDLE = "https://github.com/PaddlePaddle/PaddleDetection"


CATALOGUE = (
    CatalogueEntry(
        "yolox-nano", DETECTOR, "yolox", "Apache-2.0", f"{_YOLOX}/releases/download/0.1.1rc0/yolox_nano.onnx", _YOLOX
    ),
    CatalogueEntry(
        "yolox-tiny", DETECTOR, "yolox", "Apache-2.0", f"{_YOLOX}/releases/download/0.1.1rc0/yolox_tiny.onnx", _YOLOX
    ),
    CatalogueEntry(
        "nanodet-plus-m",
        DETECTOR,
        "nanodet-plus",
        "Apache-2.0",
        f"{_NANODET}/releases/download/v1.0.0-alpha-1/nanodet-plus-m_416.onnx",
        _NANODET,
    ),
    CatalogueEntry(
        "picodet-s",
        DETECTOR,
        "picodet",
        "Apache-2.0",
        "https://paddledet.bj.bcebos.com/deploy/third_engine/picodet_s_320_coco_lcnet.onnx",
        _PADDLE,
    ),
    CatalogueEntry("osnet", EMBEDDER, "osnet", "MIT", "", "https://github.com/KaiyangZhou/deep-person-reid"),
)


def find_entry(name: str) -> CatalogueEntry | None:
    """Return the entry of this name, or None."""
    return next((entry for entry in CATALOGUE if entry.name == name), None)
