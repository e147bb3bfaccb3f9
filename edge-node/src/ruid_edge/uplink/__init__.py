"""The node's connection to the hub: `client` is the shell around the sans-I/O session, `adoption` gets a stranger in,
`backoff` spaces the attempts, `outages` says why one failed, `pace` holds replays back, `messages` converts.
"""

from ruid_edge.uplink.adoption import Applicant
from ruid_edge.uplink.client import Answers, Uplink

__all__ = ["Answers", "Applicant", "Uplink"]
