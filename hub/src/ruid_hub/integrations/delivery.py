"""Brings alerts to where people look: webhooks, ntfy, e-mail. Bounded, with retries; what is given up is counted."""

import asyncio
import hashlib
import hmac
import smtplib
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
import structlog

from ruid_hub.integrations.alerts import Alert, AlertKind

QUEUED = 200
TRIES = 6
FIRST_WAIT_S = 2.0
TIMEOUT_S = 10.0

_log = structlog.get_logger("ruid_hub.integrations")


class Refused(Exception):
    """The other side will not take it, now or later."""


class Target(Protocol):
    """Where alerts go; `deliver` raises `Refused` for good, anything else for another try."""

    @property
    def name(self) -> str: ...

    async def deliver(self, alert: Alert) -> None: ...


@dataclass(slots=True)
class OutboxCounts:
    """Since the start."""

    delivered: int = 0
    retried: int = 0
    dropped: int = 0


class Outbox:
    """Alerts on their way to one target, in order; the oldest is dropped where there are too many."""

    def __init__(self, target: Target, *, first_wait_s: float = FIRST_WAIT_S) -> None:
        self.counts = OutboxCounts()
        self.target = target
        self._first_wait_s = first_wait_s
        self._waiting: deque[Alert] = deque()
        self._something = asyncio.Event()

    @property
    def queued(self) -> int:
        """Alerts that wait."""
        return len(self._waiting)

    def put(self, alert: Alert) -> None:
        """Never blocks."""
        if len(self._waiting) >= QUEUED:
            self._waiting.popleft()
            self._give_up("queue full")
        self._waiting.append(alert)
        self._something.set()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            await self._something.wait()
            while self._waiting:
                await self._deliver_or_keep(self._waiting.popleft())
            self._something.clear()

    async def _deliver_or_keep(self, alert: Alert) -> None:
        try:
            await self._deliver(alert)
        except asyncio.CancelledError:
            self._waiting.appendleft(alert)
            raise

    async def _deliver(self, alert: Alert) -> None:
        for again in range(TRIES):
            try:
                await self.target.deliver(alert)
            except Refused as error:
                self._give_up(str(error))
                return
            except Exception as error:
                self.counts.retried += 1
                _log.info("alert not delivered", target=self.target.name, error=type(error).__name__)
                await asyncio.sleep(self._first_wait_s * 2**again)
            else:
                self.counts.delivered += 1
                return
        self._give_up("given up after several tries")

    def _give_up(self, reason: str) -> None:
        self.counts.dropped += 1
        _log.warning("alert dropped", target=self.target.name, reason=reason)


@dataclass(frozen=True, slots=True)
class Webhook:
    """POSTs JSON, signed: `X-RuID-Signature: t=<unix time>,v1=<HMAC-SHA256 of "<t>.<body>">`.

    The receiver computes the same over the raw body, compares in constant time, and refuses old times.
    """

    client: httpx.AsyncClient
    url: str
    secret: str
    site_name: str
    name: str = "webhook"

    async def deliver(self, alert: Alert) -> None:
        body = msgspec.json.encode({"site": self.site_name, **asdict(alert)})
        headers = {
            "Content-Type": "application/json",
            "X-RuID-Event": alert.kind.value,
            "X-RuID-Signature": signature(self.secret, body, at_s=alert.at_s),
        }
        _judge(await self.client.post(self.url, content=body, headers=headers))


@dataclass(frozen=True, slots=True)
class Ntfy:
    """Publishes to a topic of an ntfy server: `url` is server and topic."""

    client: httpx.AsyncClient
    url: str
    token: str = ""
    name: str = "ntfy"

    async def deliver(self, alert: Alert) -> None:
        server, _, topic = self.url.rstrip("/").rpartition("/")
        urgent = alert.kind in {AlertKind.CAMERA_DOWN, AlertKind.WATCH_LIST}
        body = {"topic": topic, "title": alert.title, "message": alert.text, "priority": 4 if urgent else 3}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        _judge(await self.client.post(server, json=body, headers=headers))


@dataclass(frozen=True, slots=True)
class Email:
    """Through `smtp://user:password@host:port` (STARTTLS where offered) or `smtps://…`."""

    url: str
    sender: str
    recipients: tuple[str, ...]
    name: str = "email"
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    async def deliver(self, alert: Alert) -> None:
        await asyncio.to_thread(self._send, self._letter(alert))

    def _letter(self, alert: Alert) -> EmailMessage:
        letter = EmailMessage()
        # A header must be one line, whatever a camera is called.
        letter["Subject"] = " ".join(alert.title.split())
        letter["From"], letter["To"] = self.sender, ", ".join(self.recipients)
        letter.set_content(alert.text)
        return letter

    def _send(self, letter: EmailMessage) -> None:
        place = urlsplit(self.url)
        host, secure = place.hostname or "localhost", place.scheme == "smtps"
        port = place.port or (465 if secure else 25)
        if secure:
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=self.tls)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        with server:
            server.ehlo()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=self.tls)
                server.ehlo()
            if place.username:
                server.login(unquote(place.username), unquote(place.password or ""))
            server.send_message(letter)


def signature(secret: str, body: bytes, *, at_s: float) -> str:
    """What a webhook's receiver checks."""
    signed = f"{at_s:.0f}.".encode() + body
    return f"t={at_s:.0f},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _judge(answer: httpx.Response) -> None:
    """4xx but for 408 and 429 will be no better next time."""
    if answer.is_client_error and answer.status_code not in {408, 429}:
        raise Refused(f"status {answer.status_code}")
    answer.raise_for_status()


def put_all(outboxes: Sequence[Outbox], alerts: Sequence[Alert]) -> None:
    """Every alert to every target."""
    for outbox in outboxes:
        for alert in alerts:
            outbox.put(alert)
