"""Addresses of network cameras, which hold passwords."""

import re

STREAM = re.compile(r"^(rtsps?|rtmps?|https?|udp|tcp)://", re.IGNORECASE)
_ADDRESS = re.compile(r"^([A-Za-z][\w+.-]*://)(?:.*@)?([^/?#@]*)", re.DOTALL)


def without_secrets(text: str) -> str:
    """Return a source as it may be logged and sent: of an address, the scheme, the host and the port alone.

    Cameras take passwords before the host, in the path and in the query.
    """
    address = _ADDRESS.match(text)
    return text if address is None else address.group(1) + address.group(2)
