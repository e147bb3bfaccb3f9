"""Power cuts for SQLite: what it writes and syncs is recorded, and any moment of the record can be brought back.

A layer between SQLite and the operating system's files (a "VFS", see sqlite.org/vfs.html) notes each write, truncation,
sync and deletion. At a cut, what was synced is there; of what was not, each sector is there or not as chance has it.
"""

import _sqlite3
import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SECTOR_BYTES = 512
_NAME = b"recorded"
_OK = 0

_Method = ctypes.c_void_p
_Open = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_Delete = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_Write = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs as sqlite3.h has it; what is not used here is one void pointer each."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        ("xOpen", _Method),
        ("xDelete", _Method),
        *((f"method_{number}", _Method) for number in range(14)),
    )


class _FileMethods(ctypes.Structure):
    """sqlite3_io_methods."""

    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("xClose", _Method),
        ("xRead", _Method),
        ("xWrite", _Method),
        ("xTruncate", _Method),
        ("xSync", _Method),
        *((f"method_{number}", _Method) for number in range(13)),
    )


class _File(ctypes.Structure):
    """sqlite3_file."""

    _fields_ = (("pMethods", ctypes.POINTER(_FileMethods)),)


@dataclass(frozen=True, slots=True)
class Written:
    name: str
    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Truncated:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    name: str


Step = Written | Truncated | Synced | Deleted


@dataclass(slots=True)
class Record:
    """What was done to the files of a folder, in order; `len` counts the steps so far."""

    steps: list[Step] = field(default_factory=list[Step])

    def __len__(self) -> int:
        return len(self.steps)

    def restore(self, folder: Path, *, cut: int, chance: np.random.Generator | None = None) -> None:
        """Write the files as they are when the power goes before step `cut`; without `chance` all unsynced is gone."""
        folder.mkdir()
        for name, content in self._files(cut, chance).items():
            (folder / name).write_bytes(content)

    def _files(self, cut: int, chance: np.random.Generator | None) -> dict[str, bytearray]:
        safe = {step.name: index for index, step in enumerate(self.steps[:cut]) if isinstance(step, Synced)}
        files: dict[str, bytearray] = {}
        for index, step in enumerate(self.steps[:cut]):
            if isinstance(step, Deleted):
                files.pop(step.name, None)
            elif index < safe.get(step.name, -1):
                _apply(files.setdefault(step.name, bytearray()), step)
            elif chance is not None:
                _apply_some(files.setdefault(step.name, bytearray()), step, chance)
        return files


def _apply(content: bytearray, step: Step) -> None:
    match step:
        case Written(_, offset, written):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(written)] = written
        case Truncated(_, size):
            del content[size:]
        case _:
            pass


def _apply_some(content: bytearray, step: Step, chance: np.random.Generator) -> None:
    match step:
        case Written(name, offset, written):
            for start in range(0, len(written), SECTOR_BYTES):
                if chance.random() < 0.5:
                    _apply(content, Written(name, offset + start, written[start : start + SECTOR_BYTES]))
        case Truncated() if chance.random() < 0.5:
            _apply(content, step)
        case _:
            pass


class _Recorder:
    """The layer; it must live for as long as SQLite may call it."""

    def __init__(self, library: Any) -> None:
        self.record = Record()
        self._library = library
        self._names: dict[int, str] = {}
        self._tables: list[Any] = []
        original = ctypes.cast(library.sqlite3_vfs_find(None), ctypes.POINTER(_Vfs))
        self._original_address = ctypes.addressof(original.contents)
        self._open, self._delete = _Open(original.contents.xOpen), _Delete(original.contents.xDelete)
        self._layer = _Vfs.from_buffer_copy(original.contents)
        self._layer.zName = _NAME
        self._on_open, self._on_delete = _Open(self._opened), _Delete(self._deleted)
        self._layer.xOpen = ctypes.cast(self._on_open, ctypes.c_void_p)
        self._layer.xDelete = ctypes.cast(self._on_delete, ctypes.c_void_p)

    def begin(self) -> None:
        assert self._library.sqlite3_vfs_register(ctypes.byref(self._layer), 1) == _OK

    def end(self) -> None:
        self._library.sqlite3_vfs_register(ctypes.c_void_p(self._original_address), 1)
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._layer))

    def _opened(self, vfs: int, name: int | None, file: int, flags: int, out_flags: int | None) -> int:
        outcome = self._open(vfs, name, file, flags, out_flags)
        if outcome == _OK and name:
            self._names[file] = Path(ctypes.string_at(name).decode()).name
            self._listen(_File.from_address(file))
        return outcome

    def _listen(self, file: _File) -> None:
        methods = _FileMethods.from_buffer_copy(file.pMethods.contents)
        write, truncate, sync = _Write(methods.xWrite), _Truncate(methods.xTruncate), _Sync(methods.xSync)

        def written(file: int, content: int, size: int, offset: int) -> int:
            self.record.steps.append(Written(self._names[file], offset, ctypes.string_at(content, size)))
            return write(file, content, size, offset)

        def truncated(file: int, size: int) -> int:
            self.record.steps.append(Truncated(self._names[file], size))
            return truncate(file, size)

        def synced(file: int, flags: int) -> int:
            self.record.steps.append(Synced(self._names[file]))
            return sync(file, flags)

        kept = (_Write(written), _Truncate(truncated), _Sync(synced))
        methods.xWrite, methods.xTruncate, methods.xSync = (ctypes.cast(each, ctypes.c_void_p) for each in kept)
        self._tables.append((methods, kept, write, truncate, sync))
        file.pMethods = ctypes.pointer(methods)

    def _deleted(self, vfs: int, name: bytes, sync_folder: int) -> int:
        self.record.steps.append(Deleted(Path(name.decode()).name))
        return self._delete(vfs, name, sync_folder)


@contextmanager
def recorded() -> Generator[Record]:
    """All that SQLite does to files that are opened meanwhile; close them before the end."""
    library = ctypes.CDLL(_sqlite3.__file__)
    if not hasattr(library, "sqlite3_vfs_find"):
        pytest.skip("this Python hides SQLite's own functions")
    library.sqlite3_vfs_find.restype = ctypes.c_void_p
    recorder = _Recorder(library)
    recorder.begin()
    try:
        yield recorder.record
    finally:
        recorder.end()
