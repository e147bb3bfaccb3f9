"""`ruid hub backup` and `ruid hub restore`."""

import os
from pathlib import Path

from rich.console import Console

from ruid_hub.backup import make_backup, restore_backup
from ruid_hub.settings import load_settings


def backup(file: Path, *, state_dir: str | None = None) -> None:
    """Write the whole hub into one file, while it runs: database, certificate authority, settings.

    Parameters
    ----------
    file
        Where to; it is readable by you alone, and appears once it is whole.
    state_dir
        Where the hub's database lives.
    """
    settings = load_settings(os.environ, state_dir=state_dir)
    size = make_backup(settings.database, Path(settings.state_dir), file)
    Console().print(f"{file}: {size / 1e6:.1f} MB", highlight=False)


def restore(file: Path, *, state_dir: str | None = None) -> None:
    """Put a backup in the place of what a stopped hub has; what was there is kept in the state folder.

    Parameters
    ----------
    file
        The backup.
    state_dir
        Where the hub's database lives.
    """
    settings = load_settings(os.environ, state_dir=state_dir)
    before = restore_backup(file, settings.database, Path(settings.state_dir))
    Console().print(f"restored; what was there before is in {before}: delete it once all is well", highlight=False)
