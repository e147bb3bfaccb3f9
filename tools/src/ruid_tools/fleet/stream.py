"""A world as an identity stream."""

import numpy as np

from ruid_tools.evaluation.identity_streams import IdentityStream
from ruid_tools.fleet.world import World


def stream_of(world: World, *, name: str) -> IdentityStream:
    """Every look of a world, for `ruid eval identity`."""
    looks = list(world.looks())
    return IdentityStream(
        name,
        np.array([look.at_s for look in looks]),
        np.array([look.camera for look in looks], np.int64),
        np.array([look.track for look in looks], np.int64),
        np.array([look.embedding for look in looks], np.float32),
        np.array([look.person for look in looks], np.int64),
        np.array([look.quality for look in looks], np.float32),
    )
