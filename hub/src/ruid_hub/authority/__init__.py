"""The hub's own certificate authority: it signs the hub's server certificate and the nodes that were approved.

Keys are EC P-256 in files that only the hub's account can read, written whole or not at all. Nodes pin the
authority's certificate, so a server certificate may change its names or be renewed without anybody noticing.

Validity dates begin in 2020, because a Raspberry Pi has no clock until it has a network, and nodes do not judge
them: what ends a node's right is that it is revoked, in the hub's database.
"""

from ruid_hub.authority.authority import Authority, own_names
from ruid_hub.authority.certificates import RequestRefused, key_fingerprint

__all__ = ["Authority", "RequestRefused", "key_fingerprint", "own_names"]
