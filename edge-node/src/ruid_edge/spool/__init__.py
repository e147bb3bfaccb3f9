"""The durable, bounded outbox: what the hub must get stays here until the hub has it."""

from ruid_edge.spool.spool import Spool, SpoolState

__all__ = ["Spool", "SpoolState"]
