"""Folders in Market-1501 layout."""

from pathlib import Path

import pytest

from ruid_tools.evaluation.reid_layout import (
    QUERY,
    TRAIN,
    LabelledImage,
    ReidLayoutError,
    find_reid_root,
    parse_reid_name,
    read_reid_split,
)


def make_split(folder: Path, split: str, names: list[str]) -> None:
    (folder / split).mkdir(parents=True)
    for name in names:
        (folder / split / name).touch()


@pytest.mark.parametrize(
    ("name", "identity", "camera", "sequence"),
    [
        ("0002_c1s1_000451_03.jpg", 2, 1, 1),
        ("-1_c3s2_000100_00.jpg", -1, 3, 2),
        ("0012_c2_000100.png", 12, 2, 0),
    ],
)
def test_labels_are_read_from_the_name(name: str, identity: int, camera: int, sequence: int) -> None:
    path = Path(name)
    assert parse_reid_name(path) == LabelledImage(path, identity, camera, sequence)


@pytest.mark.parametrize("name", ["Thumbs.db", "0002_c1s1_000451_03.txt", "portrait.jpg"])
def test_other_files_are_passed_over(name: str) -> None:
    assert parse_reid_name(Path(name)) is None


def test_folder_above_the_layout_is_accepted(tmp_path: Path) -> None:
    make_split(tmp_path / "Market-1501-v15.09.15", QUERY, ["0001_c1s1_000001_00.jpg"])
    assert find_reid_root(tmp_path) == tmp_path / "Market-1501-v15.09.15"


def test_split_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    make_split(tmp_path, TRAIN, ["0002_c1s1_000001_00.jpg", "0001_c2s1_000001_00.jpg", "Thumbs.db"])
    assert [image.identity for image in read_reid_split(tmp_path, TRAIN)] == [1, 2]


def test_missing_layout_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ReidLayoutError, match="expected bounding_box_train/"):
        find_reid_root(tmp_path)


def test_missing_split_says_which(tmp_path: Path) -> None:
    make_split(tmp_path, TRAIN, ["0002_c1s1_000001_00.jpg"])
    with pytest.raises(ReidLayoutError, match="expected query/"):
        read_reid_split(tmp_path, QUERY)


def test_split_without_labelled_pictures_says_how_they_are_named(tmp_path: Path) -> None:
    make_split(tmp_path, QUERY, ["portrait.jpg"])
    with pytest.raises(ReidLayoutError, match="0002_c1s1_000451_03"):
        read_reid_split(tmp_path, QUERY)
