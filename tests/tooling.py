"""What a test asks for when it needs a program or a file that not every machine has."""

import importlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]


def require_tool(*names: str) -> Path:
    """Path of the first of these programs that is installed.

    Skips the test where there is none; fails it instead where RUID_REQUIRE_ALL=1 says that all must be there.
    """
    for name in names:
        found = shutil.which(name)
        if found:
            return Path(found)
    return missing(f"{' or '.join(names)} is not installed")


def require_file(path: Path, *, hint: str) -> Path:
    """The path, if it exists; otherwise as `require_tool`. The hint says how to get it."""
    return path if path.exists() else missing(f"{path.name} is not there: {hint}")


def require_module(name: str, *, hint: str) -> Any:
    """The module, if it is installed; otherwise as `require_tool`, for the whole file that asks for it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return missing(f"{name} is not installed: {hint}")


def missing(reason: str) -> Path:
    """Skip, or fail where everything is required."""
    if os.environ.get("RUID_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)
