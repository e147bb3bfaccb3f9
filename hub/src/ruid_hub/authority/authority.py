"""The authority of one hub: its keys, its certificates, and the TLS contexts made of them."""

import hashlib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ruid_hub.authority.certificates import (
    authority_certificate,
    new_key,
    node_certificate,
    read_request,
    server_certificate,
    still_good,
)
from ruid_hub.authority.files import write_secret
from ruid_hub.errors import StateUnusable


def own_names(*, also: Sequence[str] = ()) -> tuple[str, ...]:
    """The names and addresses by which this machine is reached: host name, host name.local, localhost, IPv4, `also`.

    A container does not see its machine's own name and addresses: that is what `also` is for.
    """
    host = socket.gethostname().removesuffix(".local").lower()
    addresses = {ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)}
    names = {"localhost", "127.0.0.1", "::1", *addresses, *also}
    if host.isascii() and all(label.replace("-", "").isalnum() for label in host.split(".")):
        names |= {host, f"{host}.local"}
    return tuple(sorted(names))


class Authority:
    """Lives as long as the hub; `open` makes what is not there yet."""

    def __init__(self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder = folder
        self._certificate = certificate
        self._key = key
        self._contexts: list[ssl.SSLContext] = []

    @classmethod
    def open(cls, folder: Path, *, names: Sequence[str], now_s: float) -> "Authority":
        """Load the authority in `folder`, or make it; raise `StateUnusable` where that cannot be.

        `names` are what the server certificate is good for; it is made anew where they have changed.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (folder / "authority.pem").exists():
                _make_authority(folder)
            key = _load_key(folder / "authority.key")
            certificate = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
            if certificate.public_key() != key.public_key():
                raise StateUnusable(f"'{folder}': the authority's key and certificate do not belong together")
            authority = cls(folder, certificate, key)
            authority.renew(names=names, now_s=now_s)
        except (OSError, ValueError, TypeError) as error:
            raise StateUnusable(f"the hub's certificates in '{folder}' cannot be used ({error})") from error
        return authority

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, in hexadecimal: what nodes pin and people may compare."""
        return hashlib.sha256(self.certificate_der).hexdigest()

    @property
    def hub_id(self) -> str:
        """The hub's name for machines: it stays as long as its authority does."""
        return self.fingerprint[:32]

    @property
    def certificate_der(self) -> bytes:
        """The authority's certificate, which everybody may see."""
        return self._certificate.public_bytes(Encoding.DER)

    @property
    def certificate_pem(self) -> bytes:
        """The same as text, for browsers to import."""
        return self._certificate.public_bytes(Encoding.PEM)

    @property
    def server_certificate_file(self) -> Path:
        """The server's certificate and its chain (PEM)."""
        return self._folder / "server.pem"

    @property
    def server_key_file(self) -> Path:
        """The server's private key (PEM)."""
        return self._folder / "server.key"

    def sign_node(self, request_der: bytes, *, node_id: str) -> bytes:
        """Sign a node's request and return its certificate (DER); raise `RequestRefused` for a bad one."""
        key = read_request(request_der)
        certificate = node_certificate(key, node_id=node_id, authority=self._certificate, authority_key=self._key)
        return certificate.public_bytes(Encoding.DER)

    def server_context_for_pages(self) -> ssl.SSLContext:
        """TLS for browsers and programs: no client certificate is asked for."""
        return self._server_context()

    def server_context_for_nodes(self) -> ssl.SSLContext:
        """TLS for nodes: whoever shows a certificate must show one of ours; who shows none may only ask for one."""
        context = self._server_context()
        context.load_verify_locations(cadata=self.certificate_der)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= _NO_CHECK_TIME
        return context

    def renew(self, *, names: Sequence[str], now_s: float) -> bool:
        """Make a new server certificate where the names changed or the old one ends soon; open contexts take it."""
        now = datetime.fromtimestamp(now_s, tz=UTC)
        if not self.server_key_file.exists():
            write_secret(self.server_key_file, _key_pem(new_key()))
        key = _load_key(self.server_key_file).public_key()
        if self._server_certificate_fits(names, key, now):
            return False
        certificate = server_certificate(
            key, names=names, authority=self._certificate, authority_key=self._key, now=now
        )
        chain = certificate.public_bytes(Encoding.PEM) + self.certificate_pem
        write_secret(self.server_certificate_file, chain)
        for context in self._contexts:
            context.load_cert_chain(self.server_certificate_file, self.server_key_file)
        return True

    def _server_certificate_fits(self, names: Sequence[str], key: ec.EllipticCurvePublicKey, now: datetime) -> bool:
        if not self.server_certificate_file.exists():
            return False
        certificate = x509.load_pem_x509_certificate(self.server_certificate_file.read_bytes())
        return certificate.issuer == self._certificate.subject and still_good(
            certificate, names=names, key=key, now=now
        )

    def _server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server_certificate_file, self.server_key_file)
        self._contexts.append(context)
        return context


_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name


def _make_authority(folder: Path) -> None:
    """The key first: a certificate without its key would be of no use after a power cut between the two."""
    key = new_key()
    certificate = authority_certificate(key, name=f"RuID {socket.gethostname()}")
    write_secret(folder / "authority.key", _key_pem(key))
    write_secret(folder / "authority.pem", certificate.public_bytes(Encoding.PEM))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path.name} holds no elliptic curve key")  # noqa: TRY004 - the file's fault, not a caller's
    return key
