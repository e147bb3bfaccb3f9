"""Read folders in Market-1501 layout: `bounding_box_train/`, `query/`, `bounding_box_test/`.

A file name carries its labels: `0002_c1s1_000451_03.jpg` is identity 2, camera 1, sequence 1, frame 451, box 3.
Identity -1 marks junk (never a right answer nor a wrong one), identity 0 a distractor (always a wrong answer).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ruid_tools.errors import ToolError

TRAIN = "bounding_box_train"
QUERY = "query"
GALLERY = "bounding_box_test"
JUNK_IDENTITY = -1

_NAME = re.compile(r"^(?P<identity>-?\d+)_c(?P<camera>\d+)(?:s(?P<sequence>\d+))?")
_PICTURES = {".jpg", ".jpeg", ".png"}


class ReidLayoutError(ToolError):
    """A folder does not follow the Market-1501 layout; `path` is the folder, `expected` what was missing in it."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(path, expected)
        self.path = path
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.path} is not in Market-1501 layout: expected {self.expected}"


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One picture of a person, with the labels that its name carries. `sequence` is 0 where the name has none."""

    path: Path
    identity: int
    camera: int
    sequence: int


def find_reid_root(folder: Path) -> Path:
    """Return the folder that holds the layout: `folder` itself, or its only child that does.

    Raises `ReidLayoutError` where neither has any of the three folders.
    """
    if _has_layout(folder):
        return folder
    children = [child for child in sorted(folder.glob("*")) if _has_layout(child)]
    if len(children) != 1:
        raise ReidLayoutError(folder, f"{TRAIN}/, {QUERY}/ or {GALLERY}/")
    return children[0]


def read_reid_split(folder: Path, split: str) -> tuple[LabelledImage, ...]:
    """Return the labelled pictures of one split (`TRAIN`, `QUERY` or `GALLERY`), sorted by name.

    Files without a label in their name (thumbnails, notes) are passed over. Raises `ReidLayoutError` where the
    split is absent or holds no labelled picture.
    """
    split_folder = find_reid_root(folder) / split
    if not split_folder.is_dir():
        raise ReidLayoutError(folder, f"{split}/")
    images = tuple(image for path in sorted(split_folder.iterdir()) if (image := parse_reid_name(path)) is not None)
    if not images:
        raise ReidLayoutError(folder, f"pictures named like 0002_c1s1_000451_03.jpg in {split}/")
    return images


def parse_reid_name(path: Path) -> LabelledImage | None:
    """Return the labels in a file's name, or None for a file that is not a labelled picture."""
    match = _NAME.match(path.name)
    if match is None or path.suffix.lower() not in _PICTURES:
        return None
    return LabelledImage(
        path=path,
        identity=int(match["identity"]),
        camera=int(match["camera"]),
        sequence=int(match["sequence"] or 0),
    )


def _has_layout(folder: Path) -> bool:
    return any((folder / split).is_dir() for split in (TRAIN, QUERY, GALLERY))
