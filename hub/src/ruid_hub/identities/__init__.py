"""Identity engines behind one interface, by name."""

from ruid_hub.identities.engines import ENGINE_NAMES, UnknownEngine, build_engine

__all__ = ["ENGINE_NAMES", "UnknownEngine", "build_engine"]
