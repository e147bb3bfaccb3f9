"""What keeps a node from its hub, said so that whoever reads the log knows what to do."""

from socket import gaierror
from ssl import SSLCertVerificationError, SSLError

from websockets.exceptions import ConnectionClosed, InvalidStatus

_SAID: tuple[tuple[type[Exception], str], ...] = (
    (
        SSLCertVerificationError,
        "another hub answers there than the one that let this node in: mend RUID_HUB_URL, or remove the folder "
        "'identity' in the node's state folder to have it ask that hub",
    ),
    (SSLError, "no secure connection comes about: does RUID_HUB_URL name a hub's port for nodes?"),
    (ConnectionRefusedError, "nothing listens there: start the hub, or mend RUID_HUB_URL"),
    (gaierror, "no machine of this name is to be found: mend RUID_HUB_URL, or the network"),
    (TimeoutError, "no answer in time: is the hub's machine on, and is its port for nodes open?"),
    (ConnectionClosed, "the connection broke"),
)
"""The first that fits, so the special ones come before their parents."""


def outage_reason(error: Exception) -> str:
    """Return why there is no connection, in a line."""
    if isinstance(error, InvalidStatus):
        said = (error.response.body or b"").decode(errors="replace").strip()
        return f"the hub does not take the node now ({error.response.status_code} {said or 'without a reason'})"
    known = next((said for kind, said in _SAID if isinstance(error, kind)), "")
    return known or str(error) or type(error).__name__
