"""Which engines there are, and how each is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from river import base, cluster

from ruid_core.identity import IdentityEngine, IdentityError, IdentitySettings
from ruid_hub.identities.clusterer import RuidClusterer
from ruid_hub.identities.labelled import LabelledEngine

# One set of settings for every site, on unit embeddings: River's engines learn no threshold.
RIVER_CLUSTERERS: Mapping[str, Callable[[], base.Clusterer]] = {
    "dbstream": lambda: cluster.DBSTREAM(
        clustering_threshold=0.9,
        fading_factor=1e-5,
        cleanup_interval=1e6,
        intersection_factor=0.5,
        minimum_weight=1.0,
    ),
    "denstream": lambda: cluster.DenStream(
        decaying_factor=1e-5, beta=0.5, mu=2.5, epsilon=0.7, n_samples_init=20, stream_speed=1
    ),
    "streamkmeans": lambda: cluster.STREAMKMeans(chunk_size=32, n_clusters=64, halflife=0.5, seed=1),
}
ENGINE_NAMES = ("ruid", *RIVER_CLUSTERERS)


@dataclass
class UnknownEngine(IdentityError):
    """No engine goes by this name."""

    name: str

    def __str__(self) -> str:
        return f"no identity engine {self.name!r}; there are {', '.join(ENGINE_NAMES)}"


def build_engine(
    name: str = "ruid", *, next_identity_id: Callable[[], str], settings: IdentitySettings | None = None
) -> IdentityEngine:
    """A fresh engine; raises `UnknownEngine`. `settings` are those of `ruid`."""
    if name == "ruid":
        return RuidClusterer(next_identity_id, settings)
    if name not in RIVER_CLUSTERERS:
        raise UnknownEngine(name)
    return LabelledEngine(RIVER_CLUSTERERS[name](), next_identity_id=next_identity_id)
