import json
import os
from collections.abc import Callable
from io import StringIO
from math import sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from ruid_tools.evaluation import track_peers
from ruid_tools.evaluation.track import (
    MotRows,
    TrackEvaluationError,
    choose_frames,
    eval_tracker_detections,
    mot_rows,
    read_detections,
    read_mot,
    score_tracks,
)
from ruid_tools.evaluation.track_command import print_report, read_span, track
from ruid_tools.evaluation.track_peers import PeerMissingError, open_peer
from tooling import REPOSITORY, require_file

WALK = range(1, 5)


def rows(track_id: int, frames: range, *, left_px: float = 100.0) -> MotRows:
    """Someone who stands still."""
    return np.array([[frame, track_id, left_px, 50, 40, 100] for frame in frames], np.float64)


def test_a_perfect_answer_scores_one() -> None:
    truth = np.concatenate((rows(1, WALK), rows(2, WALK, left_px=400)))

    scores = score_tracks(truth, truth=truth, frames=WALK)

    assert (scores.hota, scores.deta, scores.assa, scores.idf1, scores.mota) == (1, 1, 1, 1, 1)
    assert (scores.id_switches, scores.fragmentations) == (0, 0)


def test_one_switch_half_way() -> None:
    """Worked by hand.

    Every box is found. Each of the 4 belongs to an association of 2 of 4 frames: AssA = 2 / 4, HOTA its root.
    The better identity holds 2 of 4 frames: IDF1 = 2 * 2 / (4 + 4). MOTA = 1 - 1 switch / 4 boxes.
    """
    tracks = np.concatenate((rows(7, range(1, 3)), rows(8, range(3, 5))))

    scores = score_tracks(tracks, truth=rows(1, WALK), frames=WALK)

    assert scores.deta == pytest.approx(1)
    assert scores.assa == pytest.approx(0.5)
    assert scores.hota == pytest.approx(sqrt(0.5))
    assert scores.idf1 == pytest.approx(0.5)
    assert scores.mota == pytest.approx(0.75)
    assert scores.id_switches == 1


def test_a_gap_and_a_box_of_nobody() -> None:
    """Worked by hand: 3 of 4 found, one false box. DetA = 3 / 5, MOTA = 1 - (1 + 1) / 4, IDF1 = 6 / 8, 1 fragment."""
    found = rows(7, WALK)[[0, 2, 3]]
    tracks = np.concatenate((found, rows(9, range(2, 3), left_px=600)))

    scores = score_tracks(tracks, truth=rows(1, WALK), frames=WALK)

    assert scores.deta == pytest.approx(3 / 5)
    assert scores.mota == pytest.approx(0.5)
    assert scores.idf1 == pytest.approx(6 / 8)
    assert (scores.id_switches, scores.fragmentations) == (0, 1)


def test_only_the_chosen_frames_count() -> None:
    tracks = rows(7, range(1, 3))

    assert score_tracks(tracks, truth=rows(1, WALK), frames=[1, 2]).hota == pytest.approx(1)
    assert score_tracks(tracks, truth=rows(1, WALK), frames=[1, 3]).deta == pytest.approx(0.5)


def test_an_empty_answer_scores_nothing() -> None:
    scores = score_tracks(np.empty((0, 6)), truth=rows(1, WALK), frames=WALK)

    assert (scores.hota, scores.idf1, scores.mota) == (0, 0, 0)


def test_frames_are_thinned_within_the_span() -> None:
    assert choose_frames((3, 12), every=1, drop=0, seed=0) == list(range(3, 13))
    assert choose_frames((3, 12), every=4, drop=0, seed=0) == [3, 7, 11]


def test_dropping_is_repeatable_and_about_as_much_as_asked() -> None:
    kept = choose_frames((1, 3000), every=1, drop=1 / 3, seed=5)

    assert kept == choose_frames((1, 3000), every=1, drop=1 / 3, seed=5)
    assert kept != choose_frames((1, 3000), every=1, drop=1 / 3, seed=6)
    assert len(kept) == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize(
    ("span", "every", "drop"), [((0, 5), 1, 0.0), ((5, 4), 1, 0.0), ((1, 5), 0, 0.0), ((1, 5), 1, 1.0)]
)
def test_a_senseless_choice_is_refused(span: tuple[int, int], every: int, drop: float) -> None:
    with pytest.raises(TrackEvaluationError):
        choose_frames(span, every=every, drop=drop, seed=0)


def test_corners_become_mot_rows() -> None:
    assert mot_rows(3, [5], np.array([[10.0, 20, 50, 120]])).tolist() == [[3, 5, 10, 20, 40, 100]]
    assert mot_rows(3, [], np.array([])).shape == (0, 6)


@pytest.fixture
def clip(tmp_path: Path) -> tuple[Path, Path]:
    """Detections and truth of two people who walk for 40 frames, with boxes of nobody too faint to count."""
    frames = range(40)
    people = np.array([[100 + 4 * f, 50, 140 + 4 * f, 150, 0.9] for f in frames] + [[500, 50, 540, 150, 0.8]] * 40)
    strays = np.array([[300, 50, 340, 150, 0.05]] * 40)
    np.savez(
        tmp_path / "dets.npz",
        frame=np.tile(frames, 3).astype(np.int32),
        box=np.concatenate((people, strays)).astype(np.float32),
        n_frames=40,
        fps=10.0,
        size=[768, 576],
    )
    lines = [f"{f + 1},1,{100 + 4 * f},50,40,100,1,-1,-1,-1\n{f + 1},2,500,50,40,100,1,-1,-1,-1\n" for f in frames]
    (tmp_path / "gt.txt").write_text("".join(lines))
    return tmp_path / "dets.npz", tmp_path / "gt.txt"


def test_detections_are_read_by_frame_without_the_faintest(clip: tuple[Path, Path]) -> None:
    cached = read_detections(clip[0])

    assert [len(boxes) for boxes in cached.boxes_xyxy_px] == [2] * 40
    assert cached.fps == 10


def test_our_tracker_is_scored_and_timed(clip: tuple[Path, Path]) -> None:
    """All but the frames before the tracks are confirmed; the clock gives half a second to each frame."""
    report = eval_tracker_detections(*clip, frames=(1, 30), clock=ticking(0.5))

    assert (report.tracker, report.frames, report.id_switches) == ("ruid", 30, 0)
    assert report.hota > 0.9
    assert report.idf1 > 0.9
    assert report.fps_tracker == pytest.approx(2.0)
    assert report.fps_pipeline is None


def test_frames_beyond_the_clip_are_refused(clip: tuple[Path, Path]) -> None:
    with pytest.raises(TrackEvaluationError, match="frames 1 to 40"):
        eval_tracker_detections(*clip, frames=(1, 41))


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    words, narrow = tmp_path / "words.txt", tmp_path / "narrow.txt"
    words.write_text("not,numbers\n")
    narrow.write_text("1,2,3\n")

    for path in (words, narrow, tmp_path / "absent.txt"):
        with pytest.raises(TrackEvaluationError):
            read_mot(path)
    with pytest.raises(TrackEvaluationError):
        read_detections(words)


def test_the_command_prints_json_alone(clip: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    track(detections=clip[0], gt=clip[1], frames="1:40", every=2, json=True)

    printed = json.loads(capsys.readouterr().out)
    assert printed["frames"] == 20
    assert set(printed) >= {"hota", "deta", "assa", "idf1", "mota", "id_switches", "fragmentations", "fps_tracker"}


def test_a_report_prints_as_a_table(clip: tuple[Path, Path]) -> None:
    written = StringIO()
    console = Console(file=written, width=80)

    print_report(eval_tracker_detections(*clip), as_json=False, console=console)

    assert "hota" in written.getvalue()


@pytest.mark.parametrize("text", ["5", "5:", "a:b", "1-5"])
def test_a_span_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(TrackEvaluationError, match="first:last"):
        read_span(text)


def test_an_unknown_or_absent_peer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PeerMissingError, match="there are ruid, bytetrack"):
        open_peer("nobody", fps=10)
    monkeypatch.setitem(track_peers.PEERS, "absent", ("no_such_package_here", track_peers.PEERS["sort"][1]))
    with pytest.raises(PeerMissingError, match="pip install no_such_package_here"):
        open_peer("absent", fps=10)


def test_a_peer_is_fed_the_same_detections(clip: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that gives every person the number of the row, and one row that it does not follow."""
    monkeypatch.setattr(track_peers, "importlib", SimpleNamespace(import_module=lambda _name: FAKE_PACKAGES))  # pyright: ignore[reportUnknownLambdaType]

    report = eval_tracker_detections(*clip, tracker="bytetrack")

    assert (report.tracker, report.hota) == ("bytetrack", pytest.approx(1))


class FakeDetections:
    """As supervision has them."""

    def __init__(self, *, xyxy: NDArray[Any], confidence: NDArray[Any], class_id: NDArray[Any]) -> None:
        self.xyxy, self.confidence, self.class_id = xyxy, confidence, class_id
        self.tracker_id: NDArray[Any] | None = None


class FakeTracker:
    """Numbers the rows of every frame."""

    def update(self, detections: FakeDetections) -> FakeDetections:
        """Number the rows."""
        detections.tracker_id = np.arange(len(detections.xyxy))
        return detections


FAKE_PACKAGES = SimpleNamespace(Detections=FakeDetections, ByteTrackTracker=FakeTracker)


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that moves on by `step_s` each time it is read."""
    now_s = 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += step_s
        return now_s

    return clock


@pytest.mark.parametrize(
    ("thinning", "least_hota", "least_idf1"),
    [
        ({}, 0.72, 0.85),
        ({"every": 2}, 0.68, 0.80),
        ({"drop": 1 / 3, "seed": 0}, 0.66, 0.78),
        ({"drop": 1 / 3, "seed": 1}, 0.66, 0.78),
    ],
)
def test_the_demo_footage_is_followed_better_than_by_any_peer_measured(
    thinning: dict[str, Any], least_hota: float, least_idf1: float
) -> None:
    """Default settings, cached detections; `docs/tracking.md` has the peers' figures."""
    data = Path(os.environ.get("RUID_DATA_DIR") or REPOSITORY.parent / "shared" / "data")
    folder = require_file(data / "gt", hint="set RUID_DATA_DIR to the folder of the data sets")

    report = eval_tracker_detections(
        folder / "vtest_1_404_dets_yolox_nano.npz", folder / "vtest_tracks_1_404_visible.txt", **thinning
    )

    assert report.hota >= least_hota
    assert report.idf1 >= least_idf1
