"""`ruid test` runs every check, also after one that fails, and its exit code tells whether all were good."""

import io
import sys
from dataclasses import dataclass, field

import pytest
from rich.console import Console

from ruid_tools.checks import Check, Outcome, checks_for, run_all, run_check


@dataclass
class ScriptedRunner:
    """Ends each check with the exit code that is set for its name, and remembers the order."""

    exit_codes: dict[str, int] = field(default_factory=lambda: {})
    ran: list[str] = field(default_factory=lambda: [])

    def __call__(self, check: Check) -> Outcome:
        self.ran.append(check.name)
        said = f"what {check.name} found"
        return Outcome(check=check, exit_code=self.exit_codes.get(check.name, 0), took_s=1.25, said=said)


CHECKS = (Check(name="first", command=()), Check(name="second", command=()), Check(name="third", command=()))


def run(runner: ScriptedRunner) -> tuple[int, str]:
    printed = io.StringIO()
    exit_code = run_all(CHECKS, runner=runner, console=Console(file=printed, width=120))
    return exit_code, printed.getvalue()


def test_all_checks_good_ends_with_zero() -> None:
    exit_code, printed = run(ScriptedRunner())
    assert exit_code == 0
    assert printed.endswith("all good\n")


def test_a_failing_check_does_not_keep_the_rest_from_running() -> None:
    runner = ScriptedRunner({"first": 2})
    exit_code, printed = run(runner)
    assert exit_code == 1
    assert runner.ran == ["first", "second", "third"]
    assert printed.endswith("not good: first\n")


def test_what_a_check_found_is_printed_only_when_it_fails() -> None:
    _, printed = run(ScriptedRunner({"second": 1}))
    assert "what second found" in printed
    assert "what first found" not in printed


def test_quick_checks_come_first_and_the_core_is_measured_by_its_own_tests_alone() -> None:
    names = [check.name for check in checks_for(())]
    assert names[:4] == ["ruff check", "ruff format", "import rules", "pyright"]
    assert names[4:] == ["tests of the core", "coverage of the core", "other tests"]


def test_arguments_go_to_pytest() -> None:
    assert checks_for(["tests/hub", "-x"])[-1].command[-2:] == ("tests/hub", "-x")


def test_a_quiet_check_s_output_is_caught() -> None:
    outcome = run_check(Check(name="echo", command=(sys.executable, "-c", "print('hello'); raise SystemExit(3)")))
    assert (outcome.exit_code, outcome.said) == (3, "hello")


def test_another_check_s_output_passes_through(capfd: pytest.CaptureFixture[str]) -> None:
    run_check(Check(name="echo", command=(sys.executable, "-c", "print('hello')"), quiet=False))
    assert capfd.readouterr().out == "hello\n"
