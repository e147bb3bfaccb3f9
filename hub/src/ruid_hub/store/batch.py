"""A batch from the nodes in one transaction: a few statements for each table, however many rows there are.

What is there already is skipped. The caller opens and ends the transaction; keys that it makes are looked up anew in
the next one, so a rollback cannot leave one behind that is wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Executable

from ruid_hub.observations import Assignment, Observation
from ruid_hub.store import statements
from ruid_hub.store.counts import HOUR_S
from ruid_hub.store.prepared import Prepared, Values
from ruid_hub.store.rows import (
    Arrival,
    CommitOutcome,
    Committed,
    CrossingRow,
    DroppedRow,
    GapRow,
    ObservationRow,
    StayRow,
)
from ruid_hub.store.statements import Upserts, upserts

NEWCOMER = "new"
DOUBTFUL = frozenset({"pending", "uncertain"})
_MOST_REMEMBERED = 10_000

Number = tuple[int, int, int]
"""Node key, boot epoch and sequence number: what an item is known by for ever."""
_Row = TypeVar("_Row", bound=Committed)
_Numbered = tuple[Number, _Row]


class KnownKeys:
    """The keys of nodes and cameras that were committed: neither is ever removed. One for each database."""

    def __init__(self) -> None:
        self.nodes: dict[str, int] = {}
        self.cameras: dict[str, int] = {}


def write_batch(connection: Connection, rows: Sequence[Committed], known: KnownKeys) -> CommitOutcome:
    """Write the rows, skip what is there already, and move every node's resume point forward."""
    if not rows:
        return CommitOutcome(0, 0)
    batch, numbered = _Batch.of(connection, rows, known)
    seen = _of_kind(numbered, ObservationRow)
    fresh = {
        ObservationRow: batch.write_observations(seen),
        GapRow: batch.write_once(batch.upserts.gap, _of_kind(numbered, GapRow), batch.gap_values),
        DroppedRow: batch.write_once(batch.upserts.drop, _of_kind(numbered, DroppedRow), batch.dropped_values),
        CrossingRow: batch.write_once(batch.upserts.crossing, _of_kind(numbered, CrossingRow), batch.crossing_values),
        StayRow: batch.write_stays(_of_kind(numbered, StayRow)),
    }
    batch.move_resume_points(number for number, _ in numbered)
    batch.note_running(seen)
    # Whoever comes first with a number has it: the same once more in this batch finds it taken.
    written = [fresh[type(row)].pop(number, None) for number, row in numbered]
    stored = sum(key is not None for key in written)
    observation_ids = tuple(
        key if isinstance(row, ObservationRow) else None for key, row in zip(written, rows, strict=True)
    )
    return CommitOutcome(stored, len(rows) - stored, observation_ids)


def write_arrivals(connection: Connection, arrivals: Sequence[Arrival], known: KnownKeys) -> None:
    """Keep which nodes run and what their cameras are called; of what is told of one twice the last stands."""
    says = upserts(connection)
    node_keys = _node_keys(connection, says, {arrival.node_id for arrival in arrivals}, known)
    names = [
        {"node_key": node_keys[arrival.node_id], "camera": camera, "name": name}
        for arrival in arrivals
        for camera, name in arrival.cameras.items()
    ]
    ran = [
        _boot_values((node_keys[arrival.node_id], arrival.boot_epoch), arrival.at_s)
        for arrival in arrivals
        if arrival.boot_epoch is not None
    ]
    says.camera_name.write(connection, _last_of_each(names, "camera"))
    # Each in its turn: one statement may not touch a row twice.
    for boot in ran:
        says.boot.write(connection, [boot])


@dataclass(frozen=True, slots=True)
class _Batch:
    """The keys of the cameras of one transaction's rows, and what is written with them."""

    connection: Connection
    upserts: Upserts
    camera_keys: dict[str, int]

    @classmethod
    def of(
        cls, connection: Connection, rows: Sequence[Committed], known: KnownKeys
    ) -> tuple["_Batch", list[_Numbered[Committed]]]:
        says, origins = upserts(connection), [_origin(row) for row in rows]
        node_keys = _node_keys(connection, says, {node_id for node_id, _, _ in origins}, known)
        homes = {
            camera: node_id for row, (node_id, _, _) in zip(rows, origins, strict=True) if (camera := _camera_of(row))
        }
        batch = cls(connection, says, _camera_keys(connection, says, homes, node_keys, known))
        numbers = [(node_keys[node_id], boot_epoch, seq) for node_id, boot_epoch, seq in origins]
        return batch, list(zip(numbers, rows, strict=True))

    def write_once(
        self, statement: Prepared, rows: Sequence[_Numbered[_Row]], values_of: Callable[[_Row], Values]
    ) -> dict[Number, int]:
        """Insert what is not there yet; return the new rows' keys by number."""
        values = [_number_values(number) | values_of(row) for number, row in rows]
        inserted = statement.write(self.connection, values)
        return {(node_key, boot_epoch, seq): key for key, node_key, boot_epoch, seq in inserted}

    # --- tracklets -------------------------------------------------------------------------------------

    def write_observations(self, rows: Sequence[_Numbered[ObservationRow]]) -> dict[Number, int]:
        fresh = self.write_once(self.upserts.observation, rows, self.observation_values)
        first = dict(reversed(rows))
        new = [(fresh[number], row) for number, row in first.items() if number in fresh]
        new.sort(key=lambda written: written[0])
        says, connection = self.upserts, self.connection
        says.embeddings.write(
            connection, [_embeddings_values(*each) for each in new if each[1].observation.embeddings.size]
        )
        says.thumbnail.write(
            connection, [_thumbnail_values(*each) for each in new if each[1].observation.thumbnail_jpeg]
        )
        identity_keys = self._identity_keys(row for _, row in new)
        says.assign.write(connection, _assignment_values(new, identity_keys))
        for some in _one_of_each([self._appearance_values(*each, identity_keys) for each in new]):
            says.appearance.write(connection, some)
        return fresh

    def observation_values(self, row: ObservationRow) -> Values:
        seen = row.observation
        x1, y1, x2, y2 = seen.box_rel
        return {
            "camera_key": self.camera_keys[seen.track.camera],
            "track_id": seen.track.track_id,
            "part": seen.part,
            "final": seen.final,
            "started_at_s": seen.started_at_s,
            "ended_at_s": seen.ended_at_s,
            "grabbed_at_s": seen.grabbed_at_s,
            "received_at_s": seen.received_at_s,
            "x1_rel": x1,
            "y1_rel": y1,
            "x2_rel": x2,
            "y2_rel": y2,
            "frames": seen.frames,
        }

    def _identity_keys(self, rows: Iterable[ObservationRow]) -> dict[str, int]:
        """The keys of everybody who was seen, their times widened by what was seen of them."""
        spans: dict[str, tuple[float, float]] = {}
        for row in rows:
            if row.assignment is None:
                continue
            seen, identity_id = row.observation, row.assignment.identity_id
            first_s, last_s = spans.get(identity_id, (seen.started_at_s, seen.ended_at_s))
            spans[identity_id] = (min(first_s, seen.started_at_s), max(last_s, seen.ended_at_s))
        values = [
            {"identity_id": identity_id, "first_seen_s": first_s, "last_seen_s": last_s}
            for identity_id, (first_s, last_s) in spans.items()
        ]
        widened = self.upserts.identity.write(self.connection, values)
        return {identity_id: identity_key for identity_key, identity_id in widened}

    def _appearance_values(self, observation_id: int, row: ObservationRow, identity_keys: dict[str, int]) -> Values:
        """Keep the hour's account of a track in step with its observations: every count is made from it."""
        seen, assignment = row.observation, row.assignment
        return {
            "camera_key": self.camera_keys[seen.track.camera],
            "boot_epoch": seen.boot_epoch,
            "track_id": seen.track.track_id,
            "hour": int(seen.started_at_s // HOUR_S),
            "first_s": seen.started_at_s,
            "last_s": seen.ended_at_s,
            "identity_key": identity_keys[assignment.identity_id] if assignment else None,
            "probability": assignment.probability if assignment else None,
            "begins": seen.part == 0,
            "told_new": assignment is not None and assignment.state == NEWCOMER,
            "told_doubtfully": assignment is not None and assignment.state in DOUBTFUL,
            "told_by": observation_id,
        }

    # --- what counts -----------------------------------------------------------------------------------

    def gap_values(self, row: GapRow) -> Values:
        gap = row.gap
        camera_key = self.camera_keys[gap.camera]
        return {"camera_key": camera_key, "from_s": gap.from_s, "to_s": gap.to_s, "reason": gap.reason}

    def crossing_values(self, row: CrossingRow) -> Values:
        return {
            "camera_key": self.camera_keys[row.track.camera],
            "track_id": row.track.track_id,
            "line_id": row.line_id,
            "direction": row.direction,
            "at_s": row.at_s,
        }

    @staticmethod
    def dropped_values(row: DroppedRow) -> Values:
        return {
            "reason": row.reason,
            "first_seq": row.first_seq,
            "last_seq": row.last_seq,
            "items": row.items,
            "received_at_s": row.received_at_s,
        }

    def write_stays(self, rows: Sequence[_Numbered[StayRow]]) -> dict[Number, int]:
        """One at a time: a later item of a batch replaces an earlier one of the same stay."""
        written: dict[Number, int] = {}
        for number, row in rows:
            values = {
                "camera_key": self.camera_keys[row.track.camera],
                "track_id": row.track.track_id,
                "zone_id": row.zone_id,
                "stay": row.stay,
                "entered_at_s": row.entered_at_s,
                "left_at_s": row.left_at_s,
                "final": row.final,
            }
            stay_key = self.connection.scalar(self.upserts.stay, _number_values(number) | values)
            if stay_key is not None:
                written[number] = stay_key
        return written

    # --- nodes -----------------------------------------------------------------------------------------

    def move_resume_points(self, numbers: Iterable[Number]) -> None:
        newest: dict[int, tuple[int, int]] = {}
        for node_key, *point in numbers:
            newest[node_key] = max(newest.get(node_key, (-1, -1)), (point[0], point[1]))
        moves = [{"chosen_key": key, "boot_epoch": boot, "seq": seq} for key, (boot, seq) in newest.items()]
        self.upserts.move_resume_point.write(self.connection, moves)

    def note_running(self, rows: Sequence[_Numbered[ObservationRow]]) -> None:
        """What comes late from before a restart tells how long the node had been running then."""
        ran: dict[tuple[int, int], float] = {}
        for (node_key, boot_epoch, _), row in rows:
            boot, seen_s = (node_key, boot_epoch), _taken_at_s(row.observation)
            ran[boot] = max(ran.get(boot, seen_s), seen_s)
        self.upserts.boot.write(self.connection, [_boot_values(boot, at_s) for boot, at_s in ran.items()])


def _one_of_each(appearances: Iterable[Values]) -> Iterator[list[Values]]:
    """In order, and no track's hour twice among those written at once: the parts of a track are of one appearance."""
    some: dict[tuple[int, ...], Values] = {}
    for values in appearances:
        which = (values["camera_key"], values["boot_epoch"], values["track_id"], values["hour"])
        if which in some:
            yield list(some.values())
            some.clear()
        some[which] = values
    if some:
        yield list(some.values())


def _last_of_each(rows: Iterable[Values], name: str) -> list[Values]:
    return list({values[name]: values for values in rows}.values())


def _number_values(number: Number) -> Values:
    node_key, boot_epoch, seq = number
    return {"node_key": node_key, "boot_epoch": boot_epoch, "seq": seq}


def _origin(row: Committed) -> tuple[str, int, int]:
    """Node, boot epoch and sequence number of the item that a row is made of."""
    if isinstance(row, ObservationRow):
        return row.observation.node_id, row.observation.boot_epoch, row.observation.seq
    return row.node_id, row.boot_epoch, row.seq


def _of_kind(rows: Iterable[_Numbered[Committed]], kind: type[_Row]) -> list[_Numbered[_Row]]:
    return [(number, row) for number, row in rows if isinstance(row, kind)]


def _camera_of(row: Committed) -> str:
    match row:
        case ObservationRow(observation):
            return observation.track.camera
        case GapRow():
            return row.gap.camera
        case CrossingRow() | StayRow():
            return row.track.camera
        case DroppedRow():
            return ""


def _node_keys(connection: Connection, says: Upserts, node_ids: set[str], known: KnownKeys) -> dict[str, int]:
    keys = _remembered(connection, statements.NODE_KEYS, node_ids, known.nodes)
    if missing := sorted(node_ids - keys.keys()):
        connection.execute(says.node, [{"node_id": node_id} for node_id in missing])
        keys |= statements.looked_up(connection, statements.NODE_KEYS, missing)
    return keys


def _camera_keys(
    connection: Connection, says: Upserts, homes: dict[str, str], node_keys: dict[str, int], known: KnownKeys
) -> dict[str, int]:
    """A camera that no hello has named yet goes by its id."""
    keys = _remembered(connection, statements.CAMERA_KEYS, homes.keys(), known.cameras)
    if missing := sorted(homes.keys() - keys.keys()):
        values = [
            {"node_key": node_keys[homes[camera]], "camera": camera, "name": camera.rpartition("/")[2]}
            for camera in missing
        ]
        connection.execute(says.camera, values)
        keys |= statements.looked_up(connection, statements.CAMERA_KEYS, missing)
    return keys


def _remembered(
    connection: Connection, statement: Executable, names: Set[str], remembered: dict[str, int]
) -> dict[str, int]:
    """The keys of the names that were there before this transaction; those alone may be remembered."""
    if unknown := names - remembered.keys():
        if len(remembered) > _MOST_REMEMBERED:
            remembered.clear()
        found = statements.looked_up(connection, statement, unknown)
        remembered |= found
        return {name: remembered[name] for name in names & remembered.keys()}
    return {name: remembered[name] for name in names}


def _boot_values(boot: tuple[int, int], at_s: float) -> Values:
    node_key, boot_epoch = boot
    return {"node_key": node_key, "boot_epoch": boot_epoch, "started_at_s": at_s, "heard_at_s": at_s}


def _embeddings_values(observation_id: int, row: ObservationRow) -> Values:
    seen = row.observation
    return {
        "observation_id": observation_id,
        "taken_at_s": _taken_at_s(seen),
        "model_id": seen.embedding_model_id,
        "dim": seen.embeddings.shape[1],
        "embeddings_f16": seen.embeddings.astype("<f2").tobytes(),
        "qualities_f16": seen.qualities.astype("<f2").tobytes(),
    }


def _thumbnail_values(observation_id: int, row: ObservationRow) -> Values:
    seen = row.observation
    return {"observation_id": observation_id, "taken_at_s": _taken_at_s(seen), "jpeg": seen.thumbnail_jpeg}


def _taken_at_s(seen: Observation) -> float:
    # A node's clock may be ahead: what claims to come from the future expires by its arrival.
    return min(seen.ended_at_s, seen.received_at_s)


def _assignment_values(new: Iterable[tuple[int, ObservationRow]], identity_keys: dict[str, int]) -> list[Values]:
    assigned: list[tuple[int, Assignment]] = [
        (observation_id, row.assignment) for observation_id, row in new if row.assignment is not None
    ]
    return [
        {
            "chosen_id": observation_id,
            "identity": identity_keys[assignment.identity_id],
            "state": assignment.state,
            "probability": assignment.probability,
        }
        for observation_id, assignment in assigned
    ]
