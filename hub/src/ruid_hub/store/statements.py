"""The statements that run for every item, built once: building one costs more than running it."""

from sqlalchemy import Insert, Table, bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ruid_hub.store.tables import (
    cameras,
    drops,
    embeddings,
    gaps,
    identities,
    nodes,
    observations,
    thumbnails,
)


def _once(table: Table) -> Insert:
    """Insert unless a unique index already holds it; gives the new row's key, or nothing."""
    [primary_key] = table.primary_key.columns
    return upsert(table).on_conflict_do_nothing().returning(primary_key)


INSERT_OBSERVATION = _once(observations)
INSERT_GAP = _once(gaps)
INSERT_DROP = _once(drops)
INSERT_EMBEDDINGS = insert(embeddings)
INSERT_THUMBNAIL = insert(thumbnails)

INSERT_NODE = upsert(nodes).on_conflict_do_nothing()
NODE_KEY = select(nodes.c.node_key).where(nodes.c.node_id == bindparam("node_id"))
INSERT_CAMERA = upsert(cameras).on_conflict_do_nothing()
CAMERA_KEY = select(cameras.c.camera_key).where(cameras.c.camera == bindparam("camera"))

_named = upsert(cameras)
NAME_CAMERA = _named.on_conflict_do_update(index_elements=["camera"], set_={"name": _named.excluded.name})

_seen = upsert(identities)
SEE_IDENTITY = _seen.on_conflict_do_update(
    index_elements=["identity_id"],
    set_={
        "first_seen_s": func.min(identities.c.first_seen_s, _seen.excluded.first_seen_s),
        "last_seen_s": func.max(identities.c.last_seen_s, _seen.excluded.last_seen_s),
    },
).returning(identities.c.identity_key)

ASSIGN = (
    update(observations)
    .where(observations.c.observation_id == bindparam("chosen_id"))
    .values(
        identity_key=bindparam("identity"),
        assignment_state=bindparam("state"),
        assignment_probability=bindparam("probability"),
    )
)

_point = tuple_(bindparam("boot_epoch", type_=nodes.c.resume_seq.type), bindparam("seq", type_=nodes.c.resume_seq.type))
MOVE_RESUME_POINT = (
    update(nodes)
    .where(
        nodes.c.node_key == bindparam("chosen_key"),
        nodes.c.resume_boot_epoch.is_(None) | (tuple_(nodes.c.resume_boot_epoch, nodes.c.resume_seq) < _point),
    )
    .values(resume_boot_epoch=bindparam("boot_epoch"), resume_seq=bindparam("seq"))
)
