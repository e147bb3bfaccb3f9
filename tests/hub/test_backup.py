"""The whole hub in one file and back, and what is left of somebody who was erased."""

import io
import json
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from databases import Place, opened, place, postgres_server, store
from hub_fakes import NOON_S, observation, row
from ruid_hub.backup import BackupError, back_up_before_update, drop_own_backups, make_backup, restore_backup
from ruid_hub.observations import Assignment
from ruid_hub.store import ObservationRow, Store, hand, open_store

__all__ = ["opened", "place", "postgres_server", "store"]

GOLDEN = Path(__file__).parents[1] / "golden/store"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "authority").mkdir(parents=True)
    (folder / "authority" / "ca.key").write_text("secret of the hub")
    return folder


def everything(held: Store) -> list[tuple[object, ...]]:
    return [
        (one.observation.track, one.observation.ended_at_s, one.assignment and one.assignment.identity_id)
        for one in held.observations_in_order()
    ]


def test_a_running_hub_comes_back_as_it_was(opened: Callable[[], Store], place: Place, state_dir: Path, tmp_path: Path):
    held = opened()
    held.commit([row(seq, f"p{seq % 3}") for seq in range(1, 40)])
    before = everything(held)
    archive = tmp_path / "hub.tar"
    assert make_backup(place, state_dir, archive) == archive.stat().st_size
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    held.commit([row(99, "somebody later")])
    held.close()
    (state_dir / "authority" / "ca.key").write_text("another one")
    kept = restore_backup(archive, place, state_dir)
    assert (state_dir / "authority" / "ca.key").read_text() == "secret of the hub"
    assert (kept / "files" / "authority" / "ca.key").read_text() == "another one"
    again = opened()
    assert everything(again) == before
    assert again.resume_points() == {"node-1": (1, 39)}
    assert again.commit([row(40, "new")]).stored == 1
    again.close()
    restore_backup(archive, place, state_dir)
    [picture] = opened().commit([row(41)]).observation_ids
    assert picture is not None
    assert picture > 39


def test_a_backup_moves_a_hub_to_another_database(place: Place, state_dir: Path, tmp_path: Path):
    first = open_store(tmp_path / "small.db")
    first.commit([row(1, "ada"), row(2, "bob")])
    before = everything(first)
    first.close()
    make_backup(tmp_path / "small.db", state_dir, tmp_path / "hub.tar")
    restore_backup(tmp_path / "hub.tar", place, state_dir)
    moved = open_store(place)
    assert everything(moved) == before
    moved.close()


def test_a_hub_that_runs_is_not_overwritten(opened: Callable[[], Store], place: Place, state_dir: Path, tmp_path: Path):
    held = opened()
    held.commit([row(1)])
    make_backup(place, state_dir, tmp_path / "hub.tar")
    with pytest.raises(BackupError, match="in use by another hub"):
        restore_backup(tmp_path / "hub.tar", place, state_dir)
    assert held.counts().observations == 1


class TestForeignFiles:
    @pytest.fixture
    def target(self, tmp_path: Path) -> Path:
        return tmp_path / "hub.db"

    def tar(self, path: Path, *members: tuple[str, bytes], link: str = "") -> Path:
        with tarfile.open(path, "w") as archive:
            for name, content in members:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            if link:
                member = tarfile.TarInfo("files/link")
                member.type, member.linkname = tarfile.SYMTYPE, link
                archive.addfile(member)
        return path

    def manifest(self, form: int = 1) -> tuple[str, bytes]:
        return "manifest.json", json.dumps({"format": form, "hub": "9.9"}).encode()

    @pytest.mark.parametrize(
        "name", ["../escaped", "/etc/escaped", "files/../../escaped", "other", "files/.x", "files"]
    )
    def test_nothing_leaves_the_folder(self, name: str, target: Path, state_dir: Path, tmp_path: Path):
        archive = self.tar(tmp_path / "bad.tar", self.manifest(), (name, b"x"))
        with pytest.raises(BackupError, match="which no backup holds"):
            restore_backup(archive, target, state_dir)
        assert not list(tmp_path.rglob("escaped"))
        assert not target.exists()

    def test_links_a_newer_format_and_other_files_are_refused(self, target: Path, state_dir: Path, tmp_path: Path):
        for archive, reason in (
            (self.tar(tmp_path / "a.tar", self.manifest(), link="/etc/passwd"), "which no backup holds"),
            (self.tar(tmp_path / "b.tar", self.manifest(2)), "newer hub"),
            (self.tar(tmp_path / "c.tar", self.manifest()), "no database"),
            (self.tar(tmp_path / "d.tar", ("manifest.json", b"[]")), "cannot be read"),
            (self.tar(tmp_path / "e.tar", ("hub.db", b"")), "no backup of a hub"),
            (self.tar(tmp_path / "f.tar", self.manifest(), ("hub.db", b"no database" * 99)), "cannot be restored"),
            (tmp_path / "missing.tar", "No such file"),
        ):
            with pytest.raises(BackupError, match=reason):
                restore_backup(archive, target, state_dir)

    def test_a_backup_that_cannot_be_written_says_so(self, state_dir: Path, tmp_path: Path):
        with pytest.raises(BackupError, match="cannot be written"):
            make_backup(tmp_path / "nothing.db", state_dir, tmp_path / "hub.tar")
        assert not (tmp_path / "hub.tar").exists()


class TestUpdates:
    def test_the_first_schema_keeps_its_data_and_is_backed_up_first(self, tmp_path: Path, state_dir: Path):
        path = state_dir / "hub.db"
        first_schema(path)
        store = open_store(
            path, before_migration=lambda revision: back_up_before_update(path, state_dir, revision).exists()
        )
        assert store.counts().observations == 3
        assert {person.identity_id for person in store.recent_identities(9)} == {"ada", "bob"}
        with store.reading() as connection:
            hours = connection.exec_driver_sql(
                "SELECT hour, identity_key, newcomer, begins FROM appearances ORDER BY hour"
            ).all()
            ran = connection.exec_driver_sql("SELECT boot_epoch, started_at_s, heard_at_s FROM boots").all()
            site_keys = connection.exec_driver_sql("SELECT DISTINCT site_key FROM cameras").all()
        hour = int(NOON_S // 3600)
        assert [tuple(one) for one in hours] == [(hour, 1, 1, 1), (hour, 2, 0, 1)]
        assert ran == [(1, NOON_S - 2, NOON_S + 60)]
        assert site_keys == [(1,)]
        assert store.resume_points() == {"node-1": (1, 5)}
        assert store.commit([row(3)]).duplicates == 1
        assert store.commit([row(6)]).stored == 1
        store.close()
        [kept] = (state_dir / "backups").iterdir()
        assert kept.name == "before-update-0001.tar"
        restored = tmp_path / "restored"
        with tarfile.open(kept) as archive:
            archive.extract("hub.db", restored, filter="data")
        with sqlite3.connect(restored / "hub.db") as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
            assert connection.execute("SELECT count(*) FROM observations").fetchone() == (3,)
            assert connection.execute("SELECT count(*) FROM embeddings").fetchone() == (0,)
        connection.close()

    def test_the_way_back_is_a_restore(self, state_dir: Path):
        path = state_dir / "hub.db"
        first_schema(path)
        open_store(path, before_migration=lambda name: back_up_before_update(path, state_dir, name).exists()).close()
        restore_backup(state_dir / "backups" / "before-update-0001.tar", path, state_dir)
        again = open_store(path)
        assert again.counts().observations == 3
        again.close()


def first_schema(path: Path) -> None:
    """A database as the first release left it, made by that release's own code (tests/golden/store/write_first.py)."""
    made = sqlite3.connect(path)
    made.executescript((GOLDEN / "first.sql").read_text(encoding="utf-8"))
    made.close()


def test_nothing_is_left_of_somebody_who_was_erased(tmp_path: Path, state_dir: Path):
    path = state_dir / "hub.db"
    store = open_store(path)
    store.on_erasure(lambda: drop_own_backups(state_dir))
    face, name = b"\xff\xd8 this very face \xff\xd9" * 40, "Hildegard von Bingen"
    vectors = np.eye(4, dtype=np.float32)[:2] * np.float32(0.6875)
    seen = observation(1, thumbnail_jpeg=face)
    object.__setattr__(seen, "embeddings", vectors)
    store.commit([ObservationRow(seen, Assignment("7f3a9c-erase-me", "new", 0.9)), row(2, "bob")])
    with store.correcting() as (connection, _):
        hand.set_label(connection, "7f3a9c-erase-me", name)
    back_up_before_update(path, state_dir, "0001")
    traces = (b"this very face", name.encode(), b"7f3a9c-erase-me", vectors.astype("<f2").tobytes())

    def found() -> list[bytes]:
        make_backup(path, state_dir, tmp_path / "hub.tar")
        files = [one for one in [*state_dir.rglob("*"), tmp_path / "hub.tar"] if one.is_file()]
        left = b"".join(one.read_bytes() for one in files)
        return [trace for trace in traces if trace in left]

    assert found() == list(traces)
    with store.correcting() as (connection, hours):
        erased, touched = hand.erase_person(connection, "7f3a9c-erase-me")
        hours.update(touched)
    store.forget_traces()
    assert (erased.observations, erased.embeddings, erased.thumbnails) == (1, 1, 1)
    assert found() == []
    with store.reading() as connection:
        counted = connection.exec_driver_sql("SELECT count(DISTINCT identity_key) FROM appearances").scalar()
    assert counted == 2
    store.close()
