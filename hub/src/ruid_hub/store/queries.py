"""What is read: for the identity engine's start, for the pages, for the metrics."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, Row, Table, func, literal, select

from ruid_hub.cards import SIGHTINGS, KnownPerson, Sighting
from ruid_hub.observations import Assignment, Observation, TrackKey
from ruid_hub.store.by_person import newest_tracks, visited
from ruid_hub.store.rows import ObservationRow
from ruid_hub.store.tables import (
    cameras,
    drops,
    embeddings,
    identities,
    nodes,
    observations,
    thumbnails,
)

PAGE_ROWS = 500


def observations_in_order(connection: Connection) -> Iterator[ObservationRow]:
    """Pages by id, so that memory stays flat and no long read holds back the write-ahead log."""
    query = (
        select(observations, embeddings, nodes.c.node_id, cameras.c.camera, identities.c.identity_id)
        .join(embeddings)
        .join(nodes, nodes.c.node_key == observations.c.node_key)
        .join(cameras, cameras.c.camera_key == observations.c.camera_key)
        .outerjoin(identities)
        .order_by(observations.c.observation_id)
        .limit(PAGE_ROWS)
    )
    after = 0
    while page := connection.execute(query.where(observations.c.observation_id > after)).all():
        yield from (_observation_row(row) for row in page)
        after = page[-1].observation_id


def model_in_use(connection: Connection) -> str | None:
    """Not of the newest of all: what the engine does not compare is kept without an identity."""
    query = select(embeddings.c.model_id).join(observations).where(observations.c.identity_key.is_not(None))
    return connection.scalar(query.order_by(embeddings.c.observation_id.desc()).limit(1))


def recent_identities(connection: Connection, limit: int) -> list[KnownPerson]:
    """Newest first."""
    query = select(identities).order_by(identities.c.last_seen_s.desc()).limit(limit)
    return [_known_person(connection, row) for row in connection.execute(query).all()]


def known_people(connection: Connection, identity_ids: Sequence[str]) -> list[KnownPerson]:
    """Those of these identities that there are."""
    query = select(identities).where(identities.c.identity_id.in_(identity_ids))
    return [_known_person(connection, row) for row in connection.execute(query).all()]


def thumbnail(connection: Connection, observation_id: int) -> bytes | None:
    """By database id and nothing else."""
    # Whatever number somebody asks for is a number to the database.
    wanted = literal(observation_id, BigInteger())
    return connection.scalar(select(thumbnails.c.jpeg).where(thumbnails.c.observation_id == wanted))


def row_count(connection: Connection, table: Table) -> int:
    """All rows of a table."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def items_dropped(connection: Connection) -> int:
    """What the nodes gave up, over all that is kept."""
    return connection.execute(select(func.coalesce(func.sum(drops.c["items"]), 0))).scalar_one()


def _observation_row(row: Row[Any]) -> ObservationRow:
    seen = Observation(
        node_id=row.node_id,
        boot_epoch=row.boot_epoch,
        seq=row.seq,
        track=TrackKey(row.camera, row.boot_epoch, row.track_id),
        part=row.part,
        final=row.final,
        started_at_s=row.started_at_s,
        ended_at_s=row.ended_at_s,
        grabbed_at_s=row.grabbed_at_s,
        received_at_s=row.received_at_s,
        box_rel=(row.x1_rel, row.y1_rel, row.x2_rel, row.y2_rel),
        frames=row.frames,
        embedding_model_id=row.model_id,
        embeddings=_float32(row.embeddings_f16).reshape(-1, row.dim),
        qualities=_float32(row.qualities_f16),
        thumbnail_jpeg=b"",
    )
    if row.identity_id is None:
        return ObservationRow(seen, None)
    return ObservationRow(seen, Assignment(row.identity_id, row.assignment_state, row.assignment_probability))


def _float32(float16_bytes: bytes) -> NDArray[np.float32]:
    return np.frombuffer(float16_bytes, dtype="<f2").astype(np.float32)


def _known_person(connection: Connection, identity: Row[Any]) -> KnownPerson:
    """With as many of the newest tracks as a card tells apart."""
    sightings = tuple(
        Sighting(TrackKey(row.camera, row.boot_epoch, row.track_id), row.first_s, row.ended_at_s, row.thumbnail_id)
        for row in newest_tracks(connection, identity.identity_key, limit=SIGHTINGS)
    )
    places = visited(connection, [identity.identity_key]).get(identity.identity_key, [])
    return KnownPerson(
        identity_id=identity.identity_id,
        label=identity.label,
        first_seen_s=identity.first_seen_s,
        last_seen_s=identity.last_seen_s,
        last_camera=sightings[0].track.camera if sightings else "",
        cameras=tuple(camera for camera, _ in places),
        thumbnail_id=next((seen.thumbnail_id for seen in sightings if seen.thumbnail_id is not None), None),
        sightings=sightings,
    )
