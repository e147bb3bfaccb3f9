"""Many cameras and people without any: a world to test against, with the truth known."""

from ruid_tools.fleet.world import Look, Stay, World, WorldSettings

__all__ = ["Look", "Stay", "World", "WorldSettings"]
