"""`ruid fuzz link`: damaged bytes into every decoder of the link, for as long as you like.

Starts from real messages and damages them: bits, bytes, cuts, doubled pieces, other messages' pieces, numbers at
their limits. Whatever comes, only the protocol's own errors may leave a decoder, a session must survive, and the
memory must not grow.
"""

import random  # noqa: TID251 - a numpy generator is too slow for single bytes
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console

from ruid_core.wire import adoption, codec
from ruid_core.wire import messages as wm
from ruid_core.wire.errors import PeerError, SessionClosed
from ruid_core.wire.ingest import IngestSession, NodeArrived
from ruid_core.wire.pictures import check_picture
from ruid_core.wire.uplink import ItemKey, UplinkSession
from ruid_core.wire.vectors import unpack_embeddings
from ruid_hub.authority import RequestRefused
from ruid_hub.authority.certificates import read_request
from ruid_tools.errors import ToolError

_NOW_S = 1_800_000_000.0
_LIMITS = (
    b"\xff",
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xc1",
    b"\xcf" + b"\xff" * 8,
    b"\xcb\x7f\xf8" + b"\x00" * 6,
    b"\xdd\xff\xff\xff\xff",
)
_WARM_UP = 20_000
_GROWTH_MB = 20.0


class DecoderBroke(ToolError):
    """Something else than the protocol's own error came out; the bytes are in the text."""


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder, what it may raise, and messages to start from."""

    name: str
    feed: Callable[[bytes], object]
    seeds: Sequence[bytes]


def link(*, minutes: float = 10.0, seed: int = 1) -> None:
    """Feed damaged bytes to every decoder of the link.

    Parameters
    ----------
    minutes
        For how long.
    seed
        Where the damage starts from; the same seed damages in the same way.
    """
    fed, growth_mb = fuzz(seconds=60 * minutes, seed=seed)
    total = sum(fed.values())
    each = ", ".join(f"{name} {count:,}" for name, count in sorted(fed.items()))
    Console().print(
        f"{total:,} damaged inputs in {minutes:g} minutes: nothing but the protocol's own errors; memory grew by "
        f"{growth_mb:.1f} MB.\n{each}.",
        soft_wrap=True,
        highlight=False,
    )


def fuzz(*, seconds: float, seed: int) -> tuple["Counter[str]", float]:
    """Return how often each decoder was fed, and by how much the memory grew (MB); raise `DecoderBroke`."""
    chance = random.Random(seed)  # noqa: S311 - damage, no secret
    targets = _targets()
    process = psutil.Process()
    fed: Counter[str] = Counter()
    before_mb = 0.0
    deadline_s = time.monotonic() + seconds
    count = 0
    while count % 256 or time.monotonic() < deadline_s:
        target = chance.choice(targets)
        damaged = _damage(chance.choice(target.seeds), target.seeds, chance)
        _feed(target, damaged)
        fed[target.name] += 1
        count += 1
        if count == _WARM_UP:
            before_mb = process.memory_info().rss / 1e6
    growth_mb = process.memory_info().rss / 1e6 - before_mb if before_mb else 0.0
    if growth_mb > _GROWTH_MB:
        raise DecoderBroke(f"the memory grew by {growth_mb:.0f} MB over {count} inputs")
    return fed, growth_mb


def _feed(target: Target, damaged: bytes) -> None:
    try:
        target.feed(damaged)
    except (PeerError, RequestRefused, SessionClosed):
        pass
    except Exception as error:
        raise DecoderBroke(f"{target.name} raised {error!r} for {damaged.hex()}") from error


def _damage(message: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    damaged = bytearray(message)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(damaged) + 1)
        match chance.randrange(6):
            case 0 if damaged:
                damaged[at % len(damaged)] ^= 1 << chance.randrange(8)
            case 1 if damaged:
                damaged[at % len(damaged)] = chance.randrange(256)
            case 2:
                del damaged[at : at + chance.randint(1, 16)]
            case 3:
                damaged[at:at] = damaged[at : at + chance.randint(1, 32)]
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other))
                damaged[at:at] = other[start : start + chance.randint(1, 64)]
            case _:
                damaged[at : at + 1] = chance.choice(_LIMITS)
    return bytes(damaged[:4096])


def _targets() -> list[Target]:
    node = [codec.encode(message) for message in _node_messages()]
    hub = [codec.encode(message) for message in _hub_messages()]
    contents = [codec.encode(content) for content in _contents()]
    request = _signing_request()
    requests = [adoption.encode_adoption(adoption.AdoptionRequest(1, 1, "node1", "Door", "0.1.0", request, b"p" * 32))]
    answers = [
        adoption.encode_adoption(answer)
        for answer in (
            adoption.AdoptionPending("hub", request),
            adoption.Adopted("node1", request, request, 4),
            adoption.NotAdopted("revoked", "no"),
        )
    ]
    return [
        Target("node messages", codec.decode_node_message, node),
        Target("hub messages", codec.decode_hub_message, hub),
        Target("spooled contents", codec.decode_content, contents),
        Target("embeddings", lambda packed: unpack_embeddings(packed, dim=8), [_ROW, _ROW * 3]),
        Target("pictures", check_picture, _PICTURES),
        Target("adoption requests", adoption.decode_request, requests),
        Target("adoption answers", adoption.decode_answer, answers),
        Target("signing requests", read_request, [request]),
        Target("hub session", _session_of_hub, node),
        Target("node session", _session_of_node, hub),
    ]


def _session_of_hub(frame: bytes) -> object:
    session = IngestSession()
    arrived = session.receive(codec.encode(_HELLO), now_s=_NOW_S)
    if isinstance(arrived, NodeArrived):
        session.welcome(hub_id="hub", resume_after=ItemKey(1, 1), now_s=_NOW_S)
    return session.receive(frame, now_s=_NOW_S)


def _session_of_node(frame: bytes) -> object:
    session = UplinkSession(_HELLO)
    session.receive(codec.encode(wm.Welcome(1, 2, "hub", 1, 1, _NOW_S)), now_s=_NOW_S)
    return session.receive(frame, now_s=_NOW_S)


_ROW = b"\x00\x3c" + b"\x00" * 14
_PICTURES = (
    b"\xff\xd8\xff\xe0\x00\x04JF\xff\xc0\x00\x0b\x08\x00\x80\x00\x40\x01\x01\x11\x00",
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x40\x00\x00\x00\x80\x08\x02\x00\x00\x00",
    b"RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x3f\x00\x00\x7f\x00\x00",
)
"""What a JPEG, a PNG and a WebP begin with."""
_HELLO = wm.Hello(
    1, 2, "node1", "Door", 2, "0.1.0", "reid", 8, "accurate", (wm.CameraInfo("cam0", "Door", 640, 480),), _NOW_S
)


def _contents() -> list[wm.Content]:
    box = (0.1, 0.2, 0.3, 0.4)
    return [
        wm.Tracklet("cam0", 7, 0, True, _NOW_S - 2, _NOW_S, _NOW_S, box, 9, "reid", _ROW, (0.5,), b"\xff\xd8"),  # noqa: FBT003
        wm.CoverageGap("cam0", _NOW_S - 9, _NOW_S, "camera lost"),
        wm.Dropped("spool_full", 1, 9, 9),
        wm.Crossing("cam0", "door", 7, 1, _NOW_S),
        wm.ZoneStay("cam0", "z1", 7, 0, _NOW_S - 5, _NOW_S, final=True),
    ]


def _node_messages() -> list[wm.NodeMessage]:
    track = wm.LiveTrack(7, (0.1, 0.2, 0.3, 0.4), 0.9, _NOW_S - 2, ("z1",))
    camera = wm.CameraHealth(
        "cam0",
        True,  # noqa: FBT003 - as the message has it
        9.0,
        _NOW_S,
        9,
        9,
        9,
        {"busy": 2},
        (wm.StageTime("detect", 9.0, 12.0),),
        "",
        ("dark",),
    )
    health = wm.Health(_NOW_S, 60.0, (camera,), 3, 4096, {"frames": 1}, {"items": 1}, 55.0, 180.0, 61.5)
    items: list[wm.NodeMessage] = [wm.Item(2, number, content) for number, content in enumerate(_contents(), start=1)]
    return [
        *items,
        _HELLO,
        wm.Live("cam0", _NOW_S, _NOW_S, (track,)),
        health,
        wm.ClockProbe(_NOW_S, 0.2, 0.1),
        wm.Configured(3, accepted=False, field="zones", reason="no"),
        wm.Still("cam0", _NOW_S, b"\xff\xd8\xff\xd9"),
        wm.Examined(7, "reid", (wm.PersonFound((0.1, 0.2, 0.3, 0.4), 0.9, _ROW, b"\xff\xd8"),)),
        wm.Goodbye("finished", finished=True),
    ]


def _hub_messages() -> list[wm.HubMessage]:
    zone = wm.Zone("z1", "Counter", ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9)))
    config = wm.CameraConfig("cam0", "Door", 8.0, 0.4, "blurred", (), (zone,), (wm.Line("l", "L", (0, 0), (1, 1)),))
    return [
        wm.Welcome(1, 1, "hub", 1, 1, _NOW_S, 50.0),
        wm.Ack(2, 9),
        wm.ClockReply(_NOW_S, _NOW_S),
        wm.Refused("box", "no", fatal=False),
        wm.Configure(3, (config,)),
        wm.StillWanted("cam0"),
        wm.Examine(7, _PICTURES[0]),
        wm.Goodbye("the hub stops"),
    ]


def _signing_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder: Any = x509.CertificateSigningRequestBuilder(x509.Name([]))
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)
