"""The lock files are complete, hashed and agree, and the command that writes them says what is wrong."""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ruid_tools.locks import LOCKS, ROOT, CompilerFailed, CompilerMissing, Lock, compile_arguments, write_locks

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
OWN = {"ruid-core", "ruid-edge", "ruid-hub", "ruid-tools"}


def pins(lock: Lock) -> dict[str, str]:
    """What a lock file pins: name to version."""
    lines = (ROOT / lock.path).read_text(encoding="utf-8").splitlines()
    found = [match for line in lines if (match := PIN.match(line))]
    return {canonicalize_name(match["name"]): match["version"] for match in found}


def lock_named(name: str) -> Lock:
    return next(lock for lock in LOCKS if lock.name == name)


def project_table(folder: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def direct_requirements(folder: str, *, extra: str | None = None) -> list[Requirement]:
    """What a package and those of our own that it stands on ask for by name."""
    project = project_table(folder)
    lines: list[str] = [*project["dependencies"]]
    if extra is not None:
        lines += project["optional-dependencies"][extra]
    asked: list[Requirement] = []
    for requirement in map(Requirement, lines):
        if requirement.name in OWN:
            asked += direct_requirements({"ruid-edge": "edge-node"}.get(requirement.name, requirement.name[5:]))
        else:
            asked.append(requirement)
    return asked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_line_is_a_pin_or_one_of_its_hashes(lock: Lock) -> None:
    lines = (ROOT / lock.path).read_text(encoding="utf-8").splitlines()
    assert PIN.match(lines[0])
    for before, line in itertools.pairwise(lines):
        assert PIN.match(line) or HASH.match(line)
        assert not (PIN.match(before) and PIN.match(line)), f"{before} has no hash"
    assert HASH.match(lines[-1])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_an_index(lock: Lock) -> None:
    assert "://" not in (ROOT / lock.path).read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_holds_a_training_library_or_a_second_opencv(lock: Lock) -> None:
    assert not {"torch", "tensorflow", "opencv-python", *OWN} & pins(lock).keys()


@pytest.mark.parametrize(
    ("name", "folder", "extra"),
    [("run", "tools", None), ("edge", "edge-node", None), ("hub", "hub", None), ("dev", "tools", "test")],
)
def test_each_direct_dependency_is_pinned_within_its_bounds(name: str, folder: str, extra: str | None) -> None:
    pinned = pins(lock_named(name))
    for requirement in direct_requirements(folder, extra=extra):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, f"{requirement}: run `./ruid lock`"


@pytest.mark.parametrize("name", ["edge", "hub", "dev"])
def test_one_version_of_a_library_is_used_everywhere(name: str) -> None:
    run, other = pins(lock_named("run")), pins(lock_named(name))
    assert {library: other[library] for library in run.keys() & other.keys()} == {
        library: run[library] for library in run.keys() & other.keys()
    }


def test_the_development_lock_holds_everything_that_the_everyday_one_does() -> None:
    assert pins(lock_named("run")).items() <= pins(lock_named("dev")).items()


def test_the_edge_image_gets_none_of_the_hub_s_libraries() -> None:
    assert not {"river", "litestar", "sqlalchemy", "scipy", "cyclopts"} & pins(lock_named("edge")).keys()


def test_the_hub_image_gets_none_of_the_edge_s_libraries() -> None:
    assert not {"onnxruntime", "opencv-python-headless", "cyclopts"} & pins(lock_named("hub")).keys()


def test_a_lock_is_compiled_for_all_platforms_with_hashes_and_without_an_index() -> None:
    arguments = compile_arguments(lock_named("dev"), upgrade=False)
    assert {"--universal", "--generate-hashes", "--no-emit-index-url"} <= set(arguments)
    assert arguments[-1] == "tools/pyproject.toml"
    assert "--upgrade" not in arguments


def test_pins_move_only_when_asked() -> None:
    assert "--upgrade" in compile_arguments(lock_named("run"), upgrade=True)


def test_without_uv_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompilerMissing, match="pip install uv"):
        write_locks(root=tmp_path)


def test_the_locks_are_written_in_an_order_in_which_constraints_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_fake_uv(tmp_path, 'while [ "$1" != --output-file ]; do shift; done; echo "$2" >>order', monkeypatch)
    written = write_locks(root=tmp_path)
    order = (tmp_path / "order").read_text(encoding="utf-8").split()
    assert [tmp_path / name for name in order] == list(written)
    for lock in LOCKS:
        if lock.constrained_by is not None:
            assert order.index(str(lock_named(lock.constrained_by).path)) < order.index(str(lock.path))


def test_what_uv_complains_about_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_fake_uv(tmp_path, "echo 'no such package' >&2; exit 1", monkeypatch)
    with pytest.raises(CompilerFailed, match=r"run\.txt: no such package"):
        write_locks(root=tmp_path)


def put_fake_uv(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = folder / "uv"
    fake.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
