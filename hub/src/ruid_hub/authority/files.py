"""Secret files: written whole or not at all, readable by their owner alone."""

import os
from pathlib import Path


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that survives a power cut once this returned: temporary file, fsync, rename, fsync the folder."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
