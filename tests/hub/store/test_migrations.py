"""From an empty file to the present schema, and never backwards by accident."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from hub_fakes import row
from ruid_hub.store import StoreSchemaError, open_store
from ruid_hub.store.opening import open_database
from ruid_hub.store.tables import metadata


def test_the_steps_lead_to_the_tables_that_the_code_uses(tmp_path: Path):
    open_store(tmp_path / "hub.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_opening_again_changes_nothing(tmp_path: Path):
    def schema() -> list[tuple[str]]:
        with sqlite3.connect(tmp_path / "hub.db") as connection:
            rows = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        connection.close()
        return rows

    open_store(tmp_path / "hub.db").close()
    first = schema()
    open_store(tmp_path / "hub.db").close()
    assert schema() == first


def test_a_database_from_a_newer_hub_is_refused_and_left_alone(tmp_path: Path):
    store = open_store(tmp_path / "hub.db")
    store.commit([row(1)])
    store.close()
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreSchemaError, match="written by a newer hub \\(schema 9999\\)"):
        open_store(tmp_path / "hub.db")
    with sqlite3.connect(tmp_path / "hub.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]
        assert connection.execute("SELECT count(*) FROM observations").fetchone() == (1,)
    connection.close()


def test_the_database_is_durable_and_forgets_what_it_deletes(tmp_path: Path):
    database = open_database(tmp_path / "hub.db")
    with database.writer.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "auto_vacuum")
        }
    database.close()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "auto_vacuum": 2,
    }
