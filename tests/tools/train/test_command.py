"""`ruid train reid`, as far as it goes without PyTorch."""

import sys
from pathlib import Path

import pytest

from ruid_tools.train.command import NothingToResumeError, TorchMissingError, UnknownBackboneError, train_reid


def test_missing_torch_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        TorchMissingError, match=r"^training needs PyTorch; install it with: pip install torch==2.13.0$"
    ):
        train_reid(data=[str(tmp_path)], out=tmp_path / "run")


def test_unknown_backbone_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackboneError, match="osnet_x0_25, osnet_x0_5"):
        train_reid(data=[str(tmp_path)], out=tmp_path / "run", backbone="vgg")


def test_resuming_without_a_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToResumeError, match="leave out --resume"):
        train_reid(data=[str(tmp_path)], out=tmp_path / "run", resume=True)
