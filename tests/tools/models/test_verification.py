"""Shipped files against their cards."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ruid_core.vision import Size
from ruid_edge.inference import find_model
from ruid_edge.inference.pictures import InputLayout
from ruid_tools.models.command import CalibrationMissingError, NoCardsError, build_detector, verify
from ruid_tools.models.detector_cards import write_cards
from ruid_tools.models.golden import golden_input, golden_values, similarity
from ruid_tools.models.verification import verify_models


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the detector with fresh cards."""
    shipped = find_model("accurate").path
    copy = tmp_path / shipped.name
    copy.write_bytes(shipped.read_bytes())
    write_cards(copy, {})
    return tmp_path


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "detector-fast.card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _faults(folder: Path) -> dict[str, str]:
    return {verdict.card: verdict.fault for verdict in verify_models(folder)}


def test_every_shipped_model_is_as_its_card_says() -> None:
    verdicts = list(verify_models())
    assert {"detector-accurate", "detector-fast"} <= {verdict.card for verdict in verdicts}
    assert [verdict.fault for verdict in verdicts] == [""] * len(verdicts)


def test_fresh_cards_are_without_fault_and_do_not_invent_figures(folder: Path) -> None:
    assert _faults(folder) == {"detector-accurate": "", "detector-fast": ""}
    card = json.loads((folder / "detector-fast.card.json").read_text())
    assert (card["accuracy"], card["speed"]) == ("not measured", "not measured")


def test_figures_stay_on_the_card_while_the_file_stays_the_same(folder: Path) -> None:
    model = folder / find_model("accurate").path.name
    write_cards(model, {"detector-fast": {"accuracy": {"ap": 0.5}, "speed": {"ratio": 0.6}}})
    write_cards(model, {})
    assert json.loads((folder / "detector-fast.card.json").read_text())["accuracy"] == {"ap": 0.5}


def test_a_changed_file_is_a_fault_of_all_its_cards(folder: Path) -> None:
    model = folder / find_model("accurate").path.name
    model.write_bytes(model.read_bytes() + b"\0")
    assert all("is not the file" in fault for fault in _faults(folder).values())


def test_a_card_must_name_the_file_it_describes(folder: Path) -> None:
    _edit(folder, model_id="detector-fast-00000000")
    assert "should end in" in _faults(folder)["detector-fast"]


def test_a_network_that_answers_otherwise_is_a_fault(folder: Path) -> None:
    values = golden_values(find_model("fast").path)
    _edit(folder, golden={"values": [-value for value in values]})
    assert "similarity -1.000" in _faults(folder)["detector-fast"]


def test_a_card_without_a_golden_answer_is_a_fault(folder: Path) -> None:
    _edit(folder, golden={})
    assert "no answer to the golden input" in _faults(folder)["detector-fast"]


def test_the_command_ends_in_1_when_something_is_at_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder=folder, json=True) == 0
    assert [verdict["card"] for verdict in json.loads(capsys.readouterr().out)] == [
        "detector-accurate",
        "detector-fast",
    ]
    _edit(folder, golden={})
    assert verify(folder=folder) == 1
    assert "no answer" in capsys.readouterr().out


def test_a_folder_without_cards_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoCardsError, match=r"^no models at .*nowhere: expected cards \(NAME\.card\.json\)"):
        verify(folder=tmp_path / "nowhere")


def test_the_golden_input_is_the_same_in_every_layout() -> None:
    size = Size(16, 8)
    last = InputLayout(channels_last=True, dtype=np.dtype(np.uint8), batch="n", height="h", width="w")
    first = InputLayout(channels_last=False, dtype=np.dtype(np.float32), batch=2, height=8, width=16)
    rows = golden_input(last, size)
    planes = golden_input(first, size)
    assert rows.shape == (1, 8, 16, 3)
    assert planes.shape == (2, 3, 8, 16)
    np.testing.assert_array_equal(planes[1].transpose(1, 2, 0), rows[0])


def test_answers_are_compared_by_direction() -> None:
    assert similarity([1, 2], [2, 4]) == pytest.approx(1)
    assert similarity([1, 0], [0, 1]) == 0
    assert similarity([1], [1, 1]) == 0
    assert similarity([0, 0], [0, 0]) == 0


def test_building_without_calibration_pictures_says_where_they_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUID_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(CalibrationMissingError, match=r"nowhere.*RUID_DATA_DIR"):
        build_detector(out=tmp_path, workshop=tmp_path / "workshop")


def test_a_card_reads_back_as_it_was_written(folder: Path) -> None:
    card = json.loads((folder / "detector-accurate.card.json").read_bytes())
    assert card["model_id"].startswith("detector-accurate-")
    assert msgspec.json.decode((folder / "detector-accurate.card.json").read_bytes()) == card
