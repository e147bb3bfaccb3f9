"""The statements that run for every item, built once a dialect: building one costs more than running it."""

from collections.abc import Iterable, Set
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Executable,
    Insert,
    Table,
    and_,
    bindparam,
    case,
    false,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from ruid_hub.store.dialects import greater, insert_for, lesser
from ruid_hub.store.prepared import Prepared, PreparedUpdate
from ruid_hub.store.tables import (
    appearances,
    boots,
    cameras,
    crossings,
    drops,
    embeddings,
    gaps,
    identities,
    nodes,
    observations,
    stays,
    thumbnails,
)

NODE_KEYS = select(nodes.c.node_id, nodes.c.node_key).where(nodes.c.node_id.in_(bindparam("names", expanding=True)))
CAMERA_KEYS = select(cameras.c.camera, cameras.c.camera_key).where(
    cameras.c.camera.in_(bindparam("names", expanding=True))
)
NODE_KEY = select(nodes.c.node_key).where(nodes.c.node_id == bindparam("node_id"))
CAMERA_KEY = select(cameras.c.camera_key).where(cameras.c.camera == bindparam("camera"))

_ASSIGN = (
    update(observations)
    .where(observations.c.observation_id == bindparam("chosen_id"))
    .values(
        identity_key=bindparam("identity"),
        assignment_state=bindparam("state"),
        assignment_probability=bindparam("probability"),
    )
)

_GIVE_OBSERVATIONS, _GIVE_APPEARANCES = (
    update(table)
    .where(
        table.c.camera_key == bindparam("of_camera"),
        table.c.boot_epoch == bindparam("of_boot"),
        table.c.track_id == bindparam("of_track"),
    )
    .values(identity_key=bindparam("goal"), **founded)
    for table, founded in ((observations, {}), (appearances, {"newcomer": false()}))
)

_point = tuple_(bindparam("boot_epoch", type_=nodes.c.resume_seq.type), bindparam("seq", type_=nodes.c.resume_seq.type))
_MOVE_RESUME_POINT = (
    update(nodes)
    .where(
        nodes.c.node_key == bindparam("chosen_key"),
        nodes.c.resume_boot_epoch.is_(None) | (tuple_(nodes.c.resume_boot_epoch, nodes.c.resume_seq) < _point),
    )
    .values(resume_boot_epoch=bindparam("boot_epoch"), resume_seq=bindparam("seq"))
)


class Upserts:
    """The statements that the databases say differently. A duplicate gives no row back."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self.node = insert_for(dialect, nodes).on_conflict_do_nothing()
        self.camera = insert_for(dialect, cameras).on_conflict_do_nothing()
        self.stay = self._stay()
        self.observation = self._once(observations, but={"identity_key", "assignment_state", "assignment_probability"})
        self.gap = self._once(gaps)
        self.drop = self._once(drops)
        self.crossing = self._once(crossings)
        self.embeddings = self._prepared(insert(embeddings), (column.name for column in embeddings.c))
        self.thumbnail = self._prepared(insert(thumbnails), (column.name for column in thumbnails.c))
        self.camera_name = self._prepared(self._camera_name(), ("node_key", "camera", "name"))
        self.identity = self._prepared(self._identity(), ("identity_id", "first_seen_s", "last_seen_s"))
        self.appearance = self._prepared(self._appearance(), _told(appearances, but={"newcomer"}))
        self.boot = self._prepared(self._boot(), _told(boots))
        self.assign = PreparedUpdate(_ASSIGN, dialect=dialect)
        self.move_observations = PreparedUpdate(_GIVE_OBSERVATIONS, dialect=dialect)
        self.move_appearances = PreparedUpdate(_GIVE_APPEARANCES, dialect=dialect)
        self.move_resume_point = PreparedUpdate(_MOVE_RESUME_POINT, dialect=dialect)

    def _prepared(self, statement: Insert, columns: Iterable[str]) -> Prepared:
        return Prepared(statement, dialect=self._dialect, columns=columns)

    def _once(self, table: Table, *, but: Set[str] = frozenset()) -> Prepared:
        """Insert unless a unique index already holds it; gives the new rows' keys and numbers."""
        [primary_key] = table.primary_key.columns
        number = (table.c.node_key, table.c.boot_epoch, table.c.seq)
        once = insert_for(self._dialect, table).on_conflict_do_nothing().returning(primary_key, *number)
        return self._prepared(once, _told(table, but=but))

    def _camera_name(self) -> Insert:
        named = insert_for(self._dialect, cameras)
        return named.on_conflict_do_update(index_elements=["camera"], set_={"name": named.excluded.name})

    def _identity(self) -> Insert:
        seen = insert_for(self._dialect, identities)
        return seen.on_conflict_do_update(
            index_elements=["identity_id"],
            set_={
                "first_seen_s": lesser(identities.c.first_seen_s, seen.excluded.first_seen_s),
                "last_seen_s": greater(identities.c.last_seen_s, seen.excluded.last_seen_s),
            },
        ).returning(identities.c.identity_key, identities.c.identity_id)

    def _stay(self) -> Executable:
        """A later item about the same stay replaces an earlier one."""
        told = insert_for(self._dialect, stays)
        new = told.excluded
        return told.on_conflict_do_update(
            index_elements=["camera_key", "boot_epoch", "track_id", "zone_id", "stay"],
            set_={name: new[name] for name in ("seq", "entered_at_s", "left_at_s", "final")},
            where=new.seq > stays.c.seq,
        ).returning(stays.c.stay_key)

    def _appearance(self) -> Insert:
        """The newest answer about who it is stands. Whoever goes over to somebody else's identity founds none."""
        seen = insert_for(self._dialect, appearances).values(newcomer=_founds_an_identity())
        new, held = seen.excluded, appearances.c
        return seen.on_conflict_do_update(
            index_elements=["camera_key", "boot_epoch", "track_id", "hour"],
            set_={
                "first_s": lesser(held.first_s, new.first_s),
                "last_s": greater(held.last_s, new.last_s),
                "identity_key": func.coalesce(new.identity_key, held.identity_key),
                "probability": func.coalesce(new.probability, held.probability),
                "newcomer": case(
                    (new.identity_key != held.identity_key, new.newcomer), else_=or_(held.newcomer, new.newcomer)
                ),
                "begins": or_(held.begins, new.begins),
            },
        )

    def _boot(self) -> Insert:
        heard = insert_for(self._dialect, boots)
        return heard.on_conflict_do_update(
            index_elements=["node_key", "boot_epoch"],
            set_={
                "started_at_s": lesser(boots.c.started_at_s, heard.excluded.started_at_s),
                "heard_at_s": greater(boots.c.heard_at_s, heard.excluded.heard_at_s),
            },
        )


def _told(table: Table, *, but: Set[str] = frozenset()) -> list[str]:
    """The columns that a row is told with: the database makes up its key."""
    return [column.name for column in table.c if not column.primary_key and column.name not in but]


def _founds_an_identity() -> ColumnElement[bool]:
    """Whether an answer is "nobody known": said, or doubtful and of a track that its identity began with."""
    by = observations.alias()
    told = select(by.c.identity_key, by.c.camera_key, by.c.boot_epoch, by.c.track_id).where(
        by.c.observation_id == bindparam("told_by")
    )
    own, earlier = told.subquery(), observations.alias()
    others = (
        select(earlier.c.observation_id)
        .join(own, own.c.identity_key == earlier.c.identity_key)
        .where(earlier.c.observation_id < bindparam("told_by"), not_(same_track(earlier.c, own.c)))
    )
    return or_(
        bindparam("told_new", type_=Boolean), and_(bindparam("told_doubtfully", type_=Boolean), ~others.exists())
    )


def same_track(one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two rows, by their columns, are of one track."""
    return and_(one.camera_key == other.camera_key, one.boot_epoch == other.boot_epoch, one.track_id == other.track_id)


def upserts(connection: Connection) -> Upserts:
    """The statements of the connection's database."""
    return _of_dialect(connection.dialect.name)


@cache
def _of_dialect(dialect: str) -> Upserts:
    return Upserts(dialect)


def looked_up(connection: Connection, statement: Executable, names: Iterable[str]) -> dict[str, int]:
    """The keys of the names that are there. Few lengths of lists, because each is a statement that is kept prepared."""
    listed = sorted(names)
    padding = listed[-1:] * ((1 << max(0, len(listed) - 1).bit_length()) - len(listed))
    return {name: key for name, key in connection.execute(statement, {"names": listed + padding})}
