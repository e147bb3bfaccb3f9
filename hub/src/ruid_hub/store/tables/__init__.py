"""The tables as SQLAlchemy sees them; migrations/ holds the steps that lead here, and a test compares the two.

Times are seconds since the Unix epoch on the hub's clock. Text keys (node_id, camera, identity_id) appear once,
everywhere else an integer stands for them.
One module a room: observations, counts, health, hand (the operator's), access, links, integrations. Importing this
package knows them all.
"""

from ruid_hub.store.tables import access, counts, hand, health, integrations, links
from ruid_hub.store.tables.base import metadata
from ruid_hub.store.tables.counts import (
    DEFAULT_SITE,
    adjustments,
    appearances,
    boots,
    crossings,
    sites,
    stays,
)
from ruid_hub.store.tables.observations import (
    cameras,
    drops,
    embeddings,
    gaps,
    identities,
    nodes,
    observations,
    thumbnails,
)

__all__ = [
    "DEFAULT_SITE",
    "access",
    "adjustments",
    "appearances",
    "boots",
    "cameras",
    "counts",
    "crossings",
    "drops",
    "embeddings",
    "gaps",
    "hand",
    "health",
    "identities",
    "integrations",
    "links",
    "metadata",
    "nodes",
    "observations",
    "sites",
    "stays",
    "thumbnails",
]
