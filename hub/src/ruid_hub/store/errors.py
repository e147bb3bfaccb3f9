"""What the store can refuse.

StoreError
├── StorePathError     the path cannot be a database: missing folder, no rights, not a database
├── StoreBusyError     another hub has this database open
├── StoreSchemaError   a newer hub wrote this database
└── StoreWriteError    the disk does not take what is written: full, or gone
"""

from pathlib import Path


class StoreError(Exception):
    """Anything that keeps the store from opening or writing."""

    def __init__(self, database_path: Path | str) -> None:
        super().__init__(database_path)
        self.database_path = database_path


class StorePathError(StoreError):
    """Choose another path, or mend its rights."""

    def __init__(self, database_path: Path | str, reason: str) -> None:
        super().__init__(database_path)
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot use {self.database_path} as the database: {self.reason}"


class StoreBusyError(StoreError):
    """Stop the other hub first."""

    def __str__(self) -> str:
        return f"the database {self.database_path} is in use by another hub"


class StoreSchemaError(StoreError):
    """Run the newer hub again, or restore a backup."""

    def __init__(self, database_path: Path | str, revision: str) -> None:
        super().__init__(database_path)
        self.revision = revision

    def __str__(self) -> str:
        return f"the database {self.database_path} was written by a newer hub (schema {self.revision})"


class StoreWriteError(StoreError):
    """Nothing was committed; try again once the disk has room."""

    def __init__(self, database_path: Path | str, reason: str) -> None:
        super().__init__(database_path)
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot write to {self.database_path}: {self.reason}"


class BadRetention(ValueError):
    """What is to be kept for how long makes no sense; its text says why."""
