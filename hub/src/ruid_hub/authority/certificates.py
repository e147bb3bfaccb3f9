"""Certificates as values: what is in them, and how they are signed."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MAX_REQUEST_BYTES = 4096
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_FAR_AWAY = datetime(2050, 1, 1, tzinfo=UTC)
_SERVER_LIFE = timedelta(days=397)  # browsers refuse server certificates that live longer
_RENEW_BEFORE = timedelta(days=60)


class RequestRefused(Exception):
    """A signing request that cannot be signed; the text says why."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 over the key's SubjectPublicKeyInfo, in hexadecimal: the name of a node's key."""
    return hashlib.sha256(key_bytes(key)).hexdigest()


def key_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key's SubjectPublicKeyInfo (DER)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def authority_certificate(key: ec.EllipticCurvePrivateKey, *, name: str) -> x509.Certificate:
    """A self-signed authority that may sign end certificates and nothing else."""
    subject = _name(name)
    usage = _key_usage(signs_certificates=True)
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), _LONG_AGO, _FAR_AWAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def server_certificate(
    key: ec.EllipticCurvePublicKey,
    *,
    names: Sequence[str],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """The hub's own: good for every name and address in `names`, and only for servers."""
    begins = min(now - timedelta(days=1), _FAR_AWAY - _SERVER_LIFE)
    builder = _end_certificate(key, _name("RuID hub"), authority, begins=begins, ends=begins + _SERVER_LIFE)
    return (
        builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, SHA256())
    )


def node_certificate(
    key: ec.EllipticCurvePublicKey,
    *,
    node_id: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """An approved node's: only for clients, so that no node can pose as the hub."""
    return (
        _end_certificate(key, _name(node_id), authority, begins=_LONG_AGO, ends=_FAR_AWAY)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .sign(authority_key, SHA256())
    )


def read_request(request_der: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a signing request that its owner has signed; raise `RequestRefused` for anything else."""
    if len(request_der) > MAX_REQUEST_BYTES:
        raise RequestRefused("the signing request is too large")
    try:
        request = x509.load_der_x509_csr(request_der)
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, x509.InvalidVersion, NotImplementedError) as error:
        raise RequestRefused("the signing request cannot be read") from error
    except Exception as error:  # cryptography's own UnsupportedAlgorithm and kin: a stranger's bytes crash nothing
        raise RequestRefused(f"the signing request cannot be used ({type(error).__name__})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestRefused("the key is not on the curve P-256")
    if not signed:
        raise RequestRefused("the signing request is not signed by its own key")
    return key


def still_good(
    certificate: x509.Certificate, *, names: Sequence[str], key: ec.EllipticCurvePublicKey, now: datetime
) -> bool:
    """Whether a server certificate fits these names and this key, and does not end soon."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    fits = set(extension.value) >= {_general_name(name) for name in names}
    in_time = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _RENEW_BEFORE
    return fits and in_time and certificate.public_key() == key


def _end_certificate(
    key: ec.EllipticCurvePublicKey,
    subject: x509.Name,
    authority: x509.Certificate,
    *,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    authority_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder(authority.subject, subject, key, x509.random_serial_number(), begins, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
