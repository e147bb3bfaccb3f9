"""What the hardware says of itself."""

import shutil
import subprocess
from pathlib import Path

import psutil

_THROTTLED_FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_THROTTLED_BY = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")
"""The lowest bits of what a Raspberry Pi's firmware tells; the higher ones say what happened since boot."""
_ASK_WITHIN_S = 2.0


class Machine:
    """Reads this process's load and the machine's temperature."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first reading only sets the mark
        self.slowed_by: tuple[str, ...] = ()
        """What slowed the processor down when `throttled` last looked."""

    def cpu_percent(self) -> float:
        """Return this process's CPU use since the last call; 100 is one core."""
        return self._process.cpu_percent()

    def memory_mb(self) -> float:
        """Return this process's resident memory."""
        return self._process.memory_info().rss / 1e6

    def written_bytes(self) -> int:
        """Return what this process has had written to disks since its start: what wears a memory card."""
        return self._process.io_counters().write_bytes

    def temperature_c(self) -> float | None:
        """Return the processor's temperature, None where the machine does not tell."""
        sensors = psutil.sensors_temperatures()
        readings = [
            reading.current for name in ("cpu_thermal", "coretemp", "k10temp") for reading in sensors.get(name, [])
        ]
        return max(readings, default=None)

    def throttled(self) -> bool:
        """Return whether the firmware of a Raspberry Pi slows the processor down; False on any other machine.

        May take tens of milliseconds: call it from a thread of its own.
        """
        flags = _firmware_flags()
        self.slowed_by = tuple(name for bit, name in enumerate(_THROTTLED_BY) if flags >> bit & 1)
        return bool(self.slowed_by)


def _firmware_flags() -> int:
    try:
        if _THROTTLED_FILE.exists():
            return int(_THROTTLED_FILE.read_text(encoding="ascii"), 16)
        program = shutil.which("vcgencmd")
        if program is None:
            return 0
        told = subprocess.run(  # noqa: S603 - no shell, no input
            [program, "get_throttled"], capture_output=True, text=True, timeout=_ASK_WITHIN_S, check=True
        )
        return int(told.stdout.strip().rpartition("=")[2], 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
