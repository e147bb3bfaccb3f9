"""What the hardware says of itself."""

import psutil


class Machine:
    """Reads this process's load and the machine's temperature."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()  # the first reading only sets the mark

    def cpu_percent(self) -> float:
        """Return this process's CPU use since the last call; 100 is one core."""
        return self._process.cpu_percent()

    def memory_mb(self) -> float:
        """Return this process's resident memory."""
        return self._process.memory_info().rss / 1e6

    def temperature_c(self) -> float | None:
        """Return the processor's temperature, None where the machine does not tell."""
        sensors = psutil.sensors_temperatures()
        readings = [
            reading.current for name in ("cpu_thermal", "coretemp", "k10temp") for reading in sensors.get(name, [])
        ]
        return max(readings, default=None)
