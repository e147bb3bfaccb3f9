"""`ruid test`: every check and test of the repository, quick ones first; all of them run, also after one that fails.

Without arguments, the core's own tests run first, alone and under coverage, because they must reach every branch of
the core by themselves; then all other tests. With arguments, pytest gets them and runs once, without coverage.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Protocol

from cyclopts import Parameter
from rich.console import Console

ROOT: Final = Path(__file__).resolve().parents[3]

# The environment's own programs, whether or not it is activated.
_MODULE: Final = (sys.executable, "-m")
_IMPORTS: Final = (
    sys.executable,
    "-c",
    "from importlinter.cli import lint_imports_command as main; main()",
)
_PYTEST: Final = (*_MODULE, "pytest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A program that ends with 0 when all is well. What a quiet one prints is shown only when it fails."""

    name: str
    command: tuple[str, ...]
    quiet: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check ended: its exit code, how long it took, and what it printed if it was quiet."""

    check: Check
    exit_code: int
    took_s: float
    said: str = ""

    @property
    def good(self) -> bool:
        return self.exit_code == 0


class Runner(Protocol):
    """Runs one check to its end."""

    def __call__(self, check: Check) -> Outcome: ...


STATIC_CHECKS: Final = (
    Check(name="ruff check", command=(*_MODULE, "ruff", "check", "--quiet")),
    Check(name="ruff format", command=(*_MODULE, "ruff", "format", "--check", "--quiet")),
    Check(name="import rules", command=_IMPORTS),
    Check(name="pyright", command=(*_MODULE, "pyright", "--pythonpath", sys.executable)),
)
CORE_CHECKS: Final = (
    Check(
        name="tests of the core",
        command=(*_MODULE, "coverage", "run", *_PYTEST[1:], "-q", "tests/core"),
        quiet=False,
    ),
    Check(name="coverage of the core", command=(*_MODULE, "coverage", "report", "--fail-under=100")),
)
OTHER_TESTS: Final = Check(name="other tests", command=(*_PYTEST, "-q", "--ignore=tests/core"), quiet=False)


def run_checks(*pytest_arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Run every check and test; exit with 0 when all of them are good.

    Parameters
    ----------
    pytest_arguments
        Passed to pytest, for example `tests/hub -k ingest -x`. The core's coverage is not measured then.
    """
    return run_all(checks_for(pytest_arguments), runner=run_check, console=Console(highlight=False))


def checks_for(pytest_arguments: Sequence[str]) -> tuple[Check, ...]:
    """The checks in the order in which they run."""
    if pytest_arguments:
        chosen = Check(name="chosen tests", command=(*_PYTEST, *pytest_arguments), quiet=False)
        return (*STATIC_CHECKS, chosen)
    return (*STATIC_CHECKS, *CORE_CHECKS, OTHER_TESTS)


def run_all(checks: Sequence[Check], *, runner: Runner, console: Console) -> int:
    """Runs the checks one after the other, tells how each ended, and returns the exit code for the whole."""
    outcomes: list[Outcome] = []
    for check in checks:
        if not check.quiet:
            console.print(f"[bold]{check.name}[/bold]")
        outcome = runner(check)
        outcomes.append(outcome)
        tell(outcome, console=console)
    bad = [outcome.check.name for outcome in outcomes if not outcome.good]
    console.print(f"[red]not good: {', '.join(bad)}[/red]" if bad else "[green]all good[/green]")
    return 1 if bad else 0


def tell(outcome: Outcome, *, console: Console) -> None:
    if not outcome.good and outcome.said:
        console.print(outcome.said, markup=False, soft_wrap=True)
    word = "[green]good[/green]" if outcome.good else f"[red]exit code {outcome.exit_code}[/red]"
    console.print(f"{outcome.check.name:<22}{word} in {outcome.took_s:.1f} s")


def run_check(check: Check) -> Outcome:
    """Runs a check in the repository's root; its output is caught if it is quiet, and passed on as it comes if not."""
    sys.stdout.flush()
    started_s = time.monotonic()
    finished = subprocess.run(  # noqa: S603 - our own commands, and the caller's arguments for pytest
        check.command,
        cwd=ROOT,
        env=check_environment(os.environ),
        stdout=subprocess.PIPE if check.quiet else None,
        stderr=subprocess.STDOUT if check.quiet else None,
        text=True,
        check=False,
    )
    took_s = time.monotonic() - started_s
    return Outcome(check=check, exit_code=finished.returncode, took_s=took_s, said=(finished.stdout or "").strip())


def check_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the checks run with: the caller's environment, less what would make them say more than they found."""
    return {**environment, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
