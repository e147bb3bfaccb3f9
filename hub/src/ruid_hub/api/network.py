"""Where a request comes from, and what a trusted reverse proxy says about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import PermissionDeniedException

AnyConnection = ASGIConnection[Any, Any, Any, Any]
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class Proxies:
    """Reverse proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed.

    `user_header`, where it is named, says whom the proxy has signed in.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    user_header: str = ""

    @classmethod
    def of(cls, networks: Sequence[str], user_header: str = "") -> "Proxies":
        """From addresses or networks as text; raises ValueError."""
        return cls(tuple(ip_network(network, strict=False) for network in networks), user_header.lower())

    def trusts(self, address: str) -> bool:
        """Whether this is one of them."""
        try:
            return any(ip_address(address) in network for network in self.networks)
        except ValueError:
            return False

    def user(self, connection: AnyConnection) -> str | None:
        """Whom a trusted proxy has signed in; nobody where the header is there twice: one is not its own."""
        if not self.user_header or not self.trusts(_peer(connection)):
            return None
        named = connection.headers.getall(self.user_header, [])
        return named[0] or None if len(named) == 1 else None


NO_PROXIES = Proxies()


def client_address(connection: AnyConnection, proxies: Proxies) -> str:
    """Who asks: the peer, or the last address before trusted proxies; a whole /64 is one IPv6 client."""
    address = _peer(connection)
    if proxies.trusts(address):
        forwarded = [part.strip() for part in connection.headers.get("x-forwarded-for", "").split(",")]
        address = next((part for part in reversed(forwarded) if part and not proxies.trusts(part)), address)
    return _as_client(address)


def is_secure(connection: AnyConnection, proxies: Proxies) -> bool:
    """Whether the browser speaks https, with us or with a trusted proxy."""
    if proxies.trusts(_peer(connection)):
        return connection.headers.get("x-forwarded-proto", connection.scope["scheme"]) in {"https", "wss"}
    return connection.scope["scheme"] in {"https", "wss"}


def host_of(connection: AnyConnection, proxies: Proxies) -> str:
    """The host and port that the browser has in its address bar."""
    host = connection.headers.get("host", "")
    if proxies.trusts(_peer(connection)):
        return connection.headers.get("x-forwarded-host", host)
    return host


def from_elsewhere(connection: AnyConnection, proxies: Proxies) -> bool:
    """Whether another site's page has made the browser ask; programs that are no browser are not from elsewhere."""
    if connection.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = connection.headers.get("origin")
    return bool(origin) and urlsplit(origin or "").netloc != host_of(connection, proxies)


def own_pages_only(connection: AnyConnection, proxies: Proxies) -> None:
    """Raises PermissionDeniedException where another site's page asks."""
    if from_elsewhere(connection, proxies):
        raise PermissionDeniedException("This is for the hub's own pages.")


def host_name(host: str) -> str:
    """Without the port."""
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host


def _peer(connection: AnyConnection) -> str:
    client = connection.scope.get("client")
    return client[0] if client else ""


def _as_client(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
