"""The whole hub as one file, and back.

A backup is a tar archive: `manifest.json`, the database as an SQLite file (also where the hub runs on PostgreSQL, so
that a backup moves a hub from one to the other), and the other files of the state folder: the certificate authority
above all. It is made while the hub runs. It holds what the hub holds, names and embeddings included: keep it as safe,
and know that whoever is erased from the hub later is still in backups that were made before.
"""

import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from uuid import uuid4

from ruid_hub import __version__
from ruid_hub.errors import HubError
from ruid_hub.store import StoreError, open_store
from ruid_hub.store.copying import copy_from_file, copy_to_file, forget_biometrics
from ruid_hub.store.opening import open_database
from ruid_hub.store.postgresql import is_address

FORMAT = 1
DATABASE = "hub.db"
MANIFEST = "manifest.json"
FILES = "files"
KEPT_BEFORE = "backups"
"""In the state folder: what was there before an update or a restore."""
LARGEST_MANIFEST_BYTES = 65_536


class BackupError(HubError):
    """The backup cannot be made, or cannot be restored; nothing has changed then."""

    exit_code = 74


def make_backup(place: Path | str, state_dir: Path, target: Path, *, with_biometrics: bool = True) -> int:
    """Write the backup of a hub, running or not; returns its size in bytes. Raises BackupError.

    The target appears at once when it is whole, readable by its owner alone.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".ruid-backup-") as work:
            copy = Path(work) / DATABASE
            copy_to_file(place, copy)
            if not with_biometrics:
                forget_biometrics(copy)
            whole = Path(work) / "whole"
            _pack(whole, copy, state_dir)
            whole.replace(target)
            _sync_folder(target.absolute().parent)
    except (OSError, StoreError, tarfile.TarError) as error:
        raise BackupError(f"the backup {target} cannot be written: {error}") from error
    return target.stat().st_size


def restore_backup(archive: Path, place: Path | str, state_dir: Path) -> Path:
    """Put a backup in the place of what a stopped hub has; returns the folder that now holds what was there.

    Raises BackupError: a hub still runs, or this is no backup that can be used.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=state_dir, prefix=".ruid-restore-") as work:
            _unpack(archive, Path(work))
            # Opening it brings an older backup's schema up to date, and proves that it is sound.
            open_store(Path(work) / DATABASE).close()
            open_database(place).close()
            return _swap(Path(work), place, state_dir)
    except (OSError, StoreError, tarfile.TarError) as error:
        raise BackupError(f"{archive} cannot be restored: {error}") from error


def back_up_before_update(place: Path | str, state_dir: Path, revision: str) -> Path:
    """What a hub does by itself before its schema changes: the last such backup stays, without embeddings and pictures.

    The way back is `ruid hub restore` of it with the former release.
    """
    folder = state_dir / KEPT_BEFORE
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"before-update-{revision}.tar"
    make_backup(place, state_dir, target, with_biometrics=False)
    for older in folder.glob("before-update-*.tar"):
        if older != target:
            older.unlink()
    return target


def drop_own_backups(state_dir: Path) -> int:
    """Remove what the hub itself kept from before an update or a restore: somebody was erased. How many went."""
    kept = list((state_dir / KEPT_BEFORE).glob("before-*"))
    for path in kept:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(kept)


def backed_up_files(state_dir: Path) -> Iterator[Path]:
    """Regular files of the state folder but the database's own, earlier backups and what is being written."""
    for path in sorted(state_dir.rglob("*")):
        inside = path.relative_to(state_dir)
        if path.is_symlink() or not path.is_file() or inside.parts[0].startswith((DATABASE, ".", KEPT_BEFORE)):
            continue
        yield path


# --- packing -------------------------------------------------------------------------------------------


def _pack(target: Path, database: Path, state_dir: Path) -> None:
    manifest: dict[str, object] = {"format": FORMAT, "hub": __version__, "made_at_s": time.time()}
    note = database.with_name(MANIFEST)
    note.write_text(json.dumps(manifest), encoding="utf-8")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.add(note, MANIFEST)
            archive.add(database, DATABASE)
            for path in backed_up_files(state_dir):
                archive.add(path, f"{FILES}/{path.relative_to(state_dir).as_posix()}")
        stream.flush()
        os.fsync(stream.fileno())


def _unpack(archive: Path, work: Path) -> None:
    """Only what a backup holds, and only into the folder. Raises BackupError."""
    with tarfile.open(archive, "r:") as packed:
        _check(packed)
        for member in packed:
            name = PurePosixPath(member.name)
            if not _belongs(member, name):
                raise BackupError(f"{archive} cannot be restored: it holds '{name}', which no backup holds")
            stream = packed.extractfile(member)
            if stream is None:
                continue
            target = work / Path(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
                shutil.copyfileobj(stream, written)
                written.flush()
                os.fsync(written.fileno())
    if not (work / DATABASE).is_file():
        raise BackupError(f"{archive} cannot be restored: it holds no database")


def _check(packed: tarfile.TarFile) -> None:
    first = packed.next()
    stream = packed.extractfile(first) if first is not None and first.name == MANIFEST else None
    if first is None or stream is None or first.size > LARGEST_MANIFEST_BYTES:
        raise BackupError("this is no backup of a hub: it does not begin with a manifest")
    try:
        manifest = json.loads(stream.read())
        form = int(manifest["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError("this is no backup of a hub: its manifest cannot be read") from error
    if form > FORMAT:
        raise BackupError(f"the backup was made by a newer hub ({manifest.get('hub')}): restore it with that one")


def _belongs(member: tarfile.TarInfo, name: PurePosixPath) -> bool:
    plain = member.isreg() and not name.is_absolute() and ".." not in name.parts
    known = str(name) in {MANIFEST, DATABASE} or (name.parts[:1] == (FILES,) and len(name.parts) > 1)
    hidden = len(name.parts) > 1 and name.parts[1].startswith((DATABASE, ".", KEPT_BEFORE))
    return plain and known and not hidden


def _swap(work: Path, place: Path | str, state_dir: Path) -> Path:
    """The new in the place of the old, file by file; the old stays in a folder of its own."""
    before = state_dir / KEPT_BEFORE / f"before-restore-{int(time.time())}-{uuid4().hex[:6]}"
    before.mkdir(parents=True)
    if is_address(place):
        open_store(place).close()
        copy_to_file(place, before / DATABASE)
        copy_from_file(work / DATABASE, str(place))
    else:
        _exchange(work / DATABASE, Path(place), before / DATABASE)
    for path in sorted((work / FILES).rglob("*")):
        if path.is_file():
            inside = path.relative_to(work / FILES)
            _exchange(path, state_dir / inside, before / FILES / inside)
    _sync_folder(state_dir)
    return before


def _exchange(new: Path, target: Path, old: Path) -> None:
    old.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        # A link keeps the old one where it is until the new one is: there is always one of the two.
        os.link(target, old)
    new.replace(target)


def _sync_folder(folder: Path) -> None:
    with _descriptor(folder) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _descriptor(folder: Path) -> Generator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
