"""The node's key, which never leaves the device, and what the hub gave it.

Made on the first boot. The hub's authority is pinned with the first certificate that it signs: from then on the node
talks to nobody else. To let a node go to another hub, remove the folder.

Validity dates are not judged, because a Raspberry Pi has no clock until it has a network; a node's right ends when
the hub revokes it. Nor are host names: the authority signs one server, its own hub, under whatever name it has today.
"""

import hashlib
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ruid_core.wire.adoption import Adopted
from ruid_edge.durable import remove_durably, write_durably
from ruid_edge.errors import SpoolUnusable

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name


class AdoptionSpoiled(Exception):
    """What came is not what a hub of ours would send; the text says in what way."""


class Credentials:
    """Lives as long as the node; the folder holds node.key, node.pem and authority.pem."""

    def __init__(self, folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
        self._folder = folder
        self._key = key

    @classmethod
    def open(cls, folder: Path) -> "Credentials":
        """Load the key, or make it on the first boot; raise `SpoolUnusable` where the folder cannot be used."""
        path = folder / "node.key"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                key = ec.generate_private_key(ec.SECP256R1())
                pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                write_durably(path, pem)
            loaded = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise SpoolUnusable(f"the node's key in '{folder}' cannot be used ({error}): remove the folder") from error
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise SpoolUnusable(f"'{path}' holds no elliptic curve key: remove the folder")
        return cls(folder, loaded)

    @property
    def adopted(self) -> bool:
        """Whether a hub has let this node in."""
        return (self._folder / "node.pem").exists() and self._authority_file.exists()

    @property
    def key_der(self) -> bytes:
        """The public key (SubjectPublicKeyInfo)."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def hub_id(self) -> str | None:
        """The hub that this node belongs to, as hubs announce themselves; None before it has one."""
        if not self._authority_file.exists():
            return None
        return fingerprint(self._pinned())[:32]

    def request(self, node_id: str) -> bytes:
        """A signing request (PKCS #10, DER) for the key."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id[:64])])
        return x509.CertificateSigningRequestBuilder(subject).sign(self._key, SHA256()).public_bytes(Encoding.DER)

    def stranger_context(self) -> ssl.SSLContext:
        """TLS before there is a certificate: encrypted, and the peer is looked at by `check_hub` afterwards."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def member_context(self) -> ssl.SSLContext:
        """TLS with our certificate, to a server that the pinned authority has signed and to no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self._pinned())
        context.verify_flags |= _NO_CHECK_TIME
        context.load_cert_chain(self._folder / "node.pem", self._folder / "node.key")
        return context

    def check_hub(self, authority_der: bytes, *, server_der: bytes, expected_fingerprint: str = "") -> None:
        """Raise `AdoptionSpoiled` unless this authority signed this server, and is the one expected, if any is."""
        if self._authority_file.exists() and self._pinned() != authority_der:
            raise AdoptionSpoiled(
                "this is not the hub that adopted the node: remove its identity folder to change hubs"
            )
        if expected_fingerprint and fingerprint(authority_der) != expected_fingerprint.replace(":", "").lower():
            raise AdoptionSpoiled("the hub's fingerprint is not the one in RUID_HUB_FINGERPRINT")
        _check_issued(server_der, authority_der)

    def adopt(self, adopted: Adopted) -> None:
        """Keep what the hub sent and pin its authority; raise `AdoptionSpoiled` where it is not for our key."""
        certificate = _check_issued(adopted.certificate_der, adopted.authority_der)
        if certificate.public_key() != self._key.public_key():
            raise AdoptionSpoiled("the certificate is for another key")
        authority = x509.load_der_x509_certificate(adopted.authority_der)
        write_durably(self._authority_file, authority.public_bytes(Encoding.PEM))
        write_durably(self._folder / "node.pem", certificate.public_bytes(Encoding.PEM))

    def forget_certificate(self) -> None:
        """The hub does not know us any more: ask it, and only it, again."""
        remove_durably(self._folder / "node.pem")

    @property
    def _authority_file(self) -> Path:
        return self._folder / "authority.pem"

    def _pinned(self) -> bytes:
        return x509.load_pem_x509_certificate(self._authority_file.read_bytes()).public_bytes(Encoding.DER)


def fingerprint(authority_der: bytes) -> str:
    """SHA-256 of an authority's certificate, in hexadecimal."""
    return hashlib.sha256(authority_der).hexdigest()


def _check_issued(certificate_der: bytes, authority_der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority_der))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise AdoptionSpoiled(f"the certificate was not signed by the hub's authority ({error})") from error
    return certificate
