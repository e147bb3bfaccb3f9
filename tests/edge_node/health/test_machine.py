"""What the hardware says of itself, on a Raspberry Pi and elsewhere."""

from pathlib import Path

import pytest

from ruid_edge.health import machine
from ruid_edge.health.machine import Machine


def test_this_machine_tells_of_itself() -> None:
    here = Machine()
    assert here.memory_mb() > 1
    assert here.cpu_percent() >= 0
    assert isinstance(here.throttled(), bool)


def test_what_is_written_to_a_disk_is_counted(tmp_path: Path) -> None:
    here = Machine()
    before = here.written_bytes()
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    assert here.written_bytes() >= before


@pytest.mark.parametrize(
    ("flags", "slowed_by"),
    [("0", ()), ("50000", ()), ("50005", ("under_voltage", "throttled")), ("8", ("soft_temperature_limit",)), ("", ())],
)
def test_the_firmwares_flags_say_what_is_so_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, slowed_by: tuple[str, ...]
) -> None:
    """The higher bits say what happened since boot, which is no reason to work less now."""
    file = tmp_path / "get_throttled"
    file.write_text(flags + "\n", encoding="ascii")
    monkeypatch.setattr(machine, "_THROTTLED_FILE", file)
    here = Machine()
    assert here.throttled() is bool(slowed_by)
    assert here.slowed_by == slowed_by


@pytest.mark.parametrize(
    ("script", "throttled"), [("echo throttled=0x50005", True), ("echo throttled=0x0", False), ("exit 1", False)]
)
def test_without_the_file_the_firmwares_program_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, throttled: bool
) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setattr(machine, "_THROTTLED_FILE", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Machine().throttled() is throttled
