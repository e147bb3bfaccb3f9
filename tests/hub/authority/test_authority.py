"""The hub's own authority: who gets a certificate, and what it is good for."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ruid_hub.authority import Authority, RequestRefused, key_fingerprint, own_names
from ruid_hub.authority.certificates import read_request
from ruid_hub.errors import StateUnusable

NOW_S = 1_795_000_000.0
NAMES = ("hub.local", "localhost", "127.0.0.1")
YEAR_S = 365 * 86_400.0


def opened(folder: Path, *, names: tuple[str, ...] = NAMES, now_s: float = NOW_S) -> Authority:
    return Authority.open(folder, names=names, now_s=now_s)


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> bytes:
    signer = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anybody")])
    return x509.CertificateSigningRequestBuilder(subject).sign(signer, SHA256()).public_bytes(Encoding.DER)


def test_it_stays_the_same_over_starts(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert first.fingerprint == second.fingerprint
    assert len(first.hub_id) == 32
    assert first.server_certificate_file.read_bytes() == second.server_certificate_file.read_bytes()


def test_only_its_owner_reads_the_files(tmp_path: Path) -> None:
    authority = opened(tmp_path / "authority")
    for path in (tmp_path / "authority").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert authority.server_key_file.parent.stat().st_mode & 0o077 == 0


def test_the_server_certificate_follows_names_and_time(tmp_path: Path) -> None:
    opened(tmp_path)
    before = (tmp_path / "server.pem").read_bytes()
    opened(tmp_path, names=(*NAMES, "10.0.0.9"))
    renamed = (tmp_path / "server.pem").read_bytes()
    assert renamed != before
    certificate = x509.load_pem_x509_certificate(renamed)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hub.local" in names.get_values_for_type(x509.DNSName)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days <= 398
    opened(tmp_path, names=NAMES)
    assert (tmp_path / "server.pem").read_bytes() == renamed
    opened(tmp_path, now_s=NOW_S + YEAR_S)
    assert (tmp_path / "server.pem").read_bytes() != renamed


def test_a_clock_that_was_never_set_does_not_stop_it(tmp_path: Path) -> None:
    opened(tmp_path, now_s=0.0)
    assert opened(tmp_path, now_s=NOW_S).fingerprint


def test_a_file_that_was_damaged_is_told_in_one_line(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / "authority.key").write_bytes(b"nothing")
    with pytest.raises(StateUnusable, match="certificates in"):
        opened(tmp_path)


def test_keys_of_another_authority_are_noticed(tmp_path: Path) -> None:
    opened(tmp_path / "a")
    opened(tmp_path / "b")
    (tmp_path / "a" / "authority.key").write_bytes((tmp_path / "b" / "authority.key").read_bytes())
    with pytest.raises(StateUnusable, match="do not belong together"):
        opened(tmp_path / "a")


def test_a_node_gets_a_certificate_for_clients_only(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_der_x509_certificate(authority.sign_node(request(key), node_id="node1"))
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority.certificate_der))
    assert certificate.public_key() == key.public_key()
    [usage] = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert usage == x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH
    assert certificate.subject.rfc4514_string() == "CN=node1"
    assert len(key_fingerprint(key.public_key())) == 64


def test_only_a_signed_request_of_the_right_kind_is_signed(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    tampered = bytearray(request())
    tampered[-1] ^= 1
    subject = x509.Name([])
    edwards = x509.CertificateSigningRequestBuilder(subject).sign(ed25519.Ed25519PrivateKey.generate(), None)
    others = (
        bytes(tampered),
        request(rsa.generate_private_key(65537, 2048)),
        edwards.public_bytes(Encoding.DER),
        request() + b"x" * 5000,
        b"",
    )
    for other in others:
        with pytest.raises(RequestRefused):
            authority.sign_node(other, node_id="node1")


@given(st.data())
def test_a_damaged_request_is_refused_and_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(REQUEST)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RequestRefused):
        read_request(bytes(damaged))


REQUEST = request()


async def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """Connect over TLS; return the client's certificate as the server saw it."""
    seen: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
        await reader.read()  # with TLS 1.3 a refused client hears of it when it reads
        writer.close()
        await writer.wait_closed()
        return await asyncio.wait_for(seen, 1)
    finally:
        listening.close()
        await listening.wait_closed()


def trusting(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.certificate_der)
    context.check_hostname = True
    return context


def with_certificate(authority: Authority, signer: Authority, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_der_x509_certificate(signer.sign_node(request(key), node_id="node1"))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "node.pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = trusting(authority)
    context.load_cert_chain(folder / "node.pem")
    return context


async def test_browsers_need_no_certificate_and_nodes_show_theirs(tmp_path: Path) -> None:
    authority = Authority.open(tmp_path / "ca", names=NAMES, now_s=1.7e9)
    client = trusting(authority)
    client.verify_flags |= 0x200000
    assert await shake_hands(authority.server_context_for_pages(), client) is None
    assert await shake_hands(authority.server_context_for_nodes(), client) is None
    node = with_certificate(authority, authority, tmp_path)
    node.verify_flags |= 0x200000
    seen = await shake_hands(authority.server_context_for_nodes(), node)
    assert seen is not None
    assert x509.load_der_x509_certificate(seen).subject.rfc4514_string() == "CN=node1"


async def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    ours, theirs = opened(tmp_path / "ours"), opened(tmp_path / "theirs")
    client = with_certificate(ours, theirs, tmp_path)
    client.verify_flags |= 0x200000
    with pytest.raises((ssl.SSLError, ConnectionError, TimeoutError)):
        await shake_hands(ours.server_context_for_nodes(), client)


async def test_a_node_cannot_pose_as_the_hub(tmp_path: Path) -> None:
    authority = opened(tmp_path / "ca")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = x509.load_der_x509_certificate(authority.sign_node(request(key), node_id="localhost"))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "node.pem").write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    impostor = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    impostor.load_cert_chain(tmp_path / "node.pem")
    client = trusting(authority)
    client.check_hostname = False
    with pytest.raises(ssl.SSLError):
        await shake_hands(impostor, client)


def test_this_machine_has_names() -> None:
    names = own_names(also=("camera-hub.example",))
    assert {"localhost", "127.0.0.1", "camera-hub.example"} <= set(names)
