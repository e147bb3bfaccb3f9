"""What a training run is made of."""

from pathlib import Path

import cv2
import numpy as np

from ruid_tools.train.corpus import UNLABELLED, BatchShape, batch_of, draw_batch, read_corpus


def make_set(folder: Path, names: list[str]) -> str:
    train = folder / "bounding_box_train"
    train.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(train / name), np.full((8, 4, 3), 90, np.uint8))
    return str(folder)


def two_pictures_of(identity: int) -> list[str]:
    return [f"{identity:04d}_c{camera}s1_000001_00.jpg" for camera in (1, 2)]


def test_identities_of_two_sets_are_kept_apart(tmp_path: Path) -> None:
    first = make_set(tmp_path / "first", two_pictures_of(1))
    second = make_set(tmp_path / "second", two_pictures_of(1))
    corpus = read_corpus([first, second], [], validation_share=0, rng=np.random.default_rng(0))
    assert corpus.labels.tolist() == [0, 0, 1, 1]


def test_joined_folders_show_the_same_people(tmp_path: Path) -> None:
    first = make_set(tmp_path / "first", two_pictures_of(1))
    second = make_set(tmp_path / "second", two_pictures_of(1))
    corpus = read_corpus([f"{first},{second}"], [], validation_share=0, rng=np.random.default_rng(0))
    assert corpus.labels.tolist() == [0, 0, 0, 0]
    assert corpus.identities == 1


def test_held_out_identities_have_no_label_and_make_the_validation_set(tmp_path: Path) -> None:
    names = [name for identity in range(1, 11) for name in two_pictures_of(identity)]
    corpus = read_corpus([make_set(tmp_path / "one", names)], [], validation_share=0.2, rng=np.random.default_rng(0))
    (held_out,) = corpus.validation
    assert (corpus.labels[held_out.positions] == UNLABELLED).all()
    assert len(set(held_out.identities.tolist())) == 2
    assert corpus.identities == 8


def test_junk_distractors_and_identities_seen_once_are_not_learned(tmp_path: Path) -> None:
    names = ["-1_c1s1_000001_00.jpg", "0000_c1s1_000001_00.jpg", "0007_c1s1_000001_00.jpg", *two_pictures_of(1)]
    corpus = read_corpus([make_set(tmp_path / "one", names)], [], validation_share=0, rng=np.random.default_rng(0))
    assert corpus.identities == 1
    assert corpus.labels.tolist().count(UNLABELLED) == 1


def test_batch_holds_identities_with_several_pictures_and_unlabelled_crops() -> None:
    by_label = [np.array([0, 1, 2]), np.array([3]), np.array([4, 5])]
    shape = BatchShape(identities=2, pictures=4, unlabelled=3)
    batch = draw_batch(by_label, np.array([6, 7, 8]), shape=shape, rng=np.random.default_rng(1))
    assert len(batch) == 2 * 4 + 3
    assert set(batch[8:].tolist()) == {6, 7, 8}


def test_same_random_stream_draws_the_same_batch() -> None:
    by_label = [np.arange(5), np.arange(5, 10)]
    batches = [
        draw_batch(by_label, np.array([], np.int64), shape=BatchShape(2, 2, 2), rng=np.random.default_rng(3))
        for _ in range(2)
    ]
    assert batches[0].tolist() == batches[1].tolist()


def test_a_batch_of_96_gives_what_identities_leave_to_unlabelled_crops() -> None:
    shape = batch_of(14)
    assert shape.identities * shape.pictures + shape.unlabelled == 96
    assert batch_of(30).unlabelled == 0


def test_more_unlabelled_pictures_take_part_without_an_identity(tmp_path: Path) -> None:
    corpus = read_corpus(
        [make_set(tmp_path / "one", two_pictures_of(1))], [], validation_share=0, rng=np.random.default_rng(0)
    )
    more = corpus.with_unlabelled([tmp_path / "more.jpg"])
    assert more.labels.tolist() == [0, 0, UNLABELLED]
    assert more.unlabelled.tolist() == [2]
    assert more.paths[2] == tmp_path / "more.jpg"


def test_held_out_pictures_are_not_for_training(tmp_path: Path) -> None:
    names = [name for identity in range(1, 11) for name in two_pictures_of(identity)]
    corpus = read_corpus([make_set(tmp_path / "one", names)], [], validation_share=0.2, rng=np.random.default_rng(0))
    (held_out,) = corpus.validation
    kept = set(corpus.paths_for_training)
    assert kept.isdisjoint(corpus.paths[position] for position in held_out.positions)
    assert len(kept) == 16
