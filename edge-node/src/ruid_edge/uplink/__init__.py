"""The node's connection to the hub: `client` is the shell around the sans-I/O session, `messages` converts."""

from ruid_edge.uplink.client import Uplink

__all__ = ["Uplink"]
