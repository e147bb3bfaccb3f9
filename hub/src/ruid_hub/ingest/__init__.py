"""Receiving from nodes: `server` is the shell around the sans-I/O session, `group_commit` commits for all of them."""

from ruid_hub.ingest.group_commit import GroupCommit
from ruid_hub.ingest.server import IngestServer, NodeEvents

__all__ = ["GroupCommit", "IngestServer", "NodeEvents"]
