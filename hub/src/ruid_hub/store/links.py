"""Which nodes were let in, and what they are told: functions over a connection; the caller opens and ends it."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, Table, select

from ruid_hub.store.dialects import insert
from ruid_hub.store.tables import nodes
from ruid_hub.store.tables.links import admissions, configurations


@dataclass(frozen=True, slots=True)
class Admission:
    """A node that was approved once; `revoked` says whether it is kept out now."""

    node_id: str
    name: str
    key_fingerprint: str
    revoked: bool
    approved_at_s: float
    approved_by: str
    changed_at_s: float
    changed_by: str


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """What a node is told (`cameras` as the wire carries them), and what it said to the last revision it answered."""

    node_id: str
    revision: int
    cameras: bytes
    changed_at_s: float
    changed_by: str
    answered_revision: int | None = None
    accepted: bool | None = None
    refused_field: str | None = None
    refused_reason: str | None = None
    answered_at_s: float | None = None


def all_admissions(connection: Connection) -> list[Admission]:
    """Every node that was ever approved, revoked ones included."""
    columns = [column for column in admissions.c if column.name != "node_key"]
    query = select(nodes.c.node_id, *columns).join(admissions, admissions.c.node_key == nodes.c.node_key)
    return [Admission(**row) for row in connection.execute(query).mappings()]


def write_admission(connection: Connection, admission: Admission) -> None:
    """Keep a node's admission in place of the one before."""
    values = asdict(admission)
    values["node_key"] = _node_key(connection, values.pop("node_id"))
    _put(connection, admissions, values)


def all_configurations(connection: Connection) -> list[ConfigurationRow]:
    """What every configured node is told."""
    columns = [column for column in configurations.c if column.name != "node_key"]
    query = select(nodes.c.node_id, *columns).join(configurations, configurations.c.node_key == nodes.c.node_key)
    return [ConfigurationRow(**row) for row in connection.execute(query).mappings()]


def write_configuration(connection: Connection, configuration: ConfigurationRow) -> None:
    """Keep what a node is told in place of what it was told before."""
    values = asdict(configuration)
    values["node_key"] = _node_key(connection, values.pop("node_id"))
    _put(connection, configurations, values)


def _put(connection: Connection, table: Table, values: dict[str, object]) -> None:
    statement = insert(connection, table).values(values)
    changed = {name: value for name, value in values.items() if name != "node_key"}
    connection.execute(statement.on_conflict_do_update(index_elements=["node_key"], set_=changed))


def _node_key(connection: Connection, node_id: str) -> int:
    connection.execute(insert(connection, nodes).values(node_id=node_id).on_conflict_do_nothing())
    return connection.execute(select(nodes.c.node_key).where(nodes.c.node_id == node_id)).scalar_one()
