"""Alerts on their way: signed, tried again, bounded, and counted where they are given up."""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import httpx
import pytest

from api_fakes import eventually
from ruid_hub.integrations.alerts import Alert, AlertKind
from ruid_hub.integrations.delivery import QUEUED, TRIES, Email, Ntfy, Outbox, Refused, Webhook

SECRET = "a secret of some length"  # noqa: S105 - a test's


def alert(number: int = 1) -> Alert:
    return Alert(AlertKind.CAMERA_DOWN, f"node-1/cam{number}", 1_790_000_000.0, "Camera down: Dö\r\nor", "It is away.")


@dataclass(slots=True)
class FakeTarget:
    """Takes what it is given, after as many failures as it is told."""

    failures: list[Exception] = field(default_factory=list[Exception])
    taken: list[Alert] = field(default_factory=list[Alert])
    name: str = "fake"

    async def deliver(self, alert: Alert) -> None:
        if self.failures:
            raise self.failures.pop()
        self.taken.append(alert)


async def delivered(outbox: Outbox, *, until: int) -> None:
    """Run the outbox until so many alerts are settled."""
    running = asyncio.create_task(outbox.run())
    await eventually(lambda: outbox.counts.delivered + outbox.counts.dropped >= until)
    running.cancel()


@pytest.mark.asyncio
class TestOutbox:
    async def test_tries_again_and_keeps_the_order(self):
        target = FakeTarget([OSError(), OSError()])
        outbox = Outbox(target, first_wait_s=0.001)
        outbox.put(alert(1))
        outbox.put(alert(2))
        await delivered(outbox, until=2)
        assert [taken.subject for taken in target.taken] == ["node-1/cam1", "node-1/cam2"]
        assert outbox.counts.retried == 2

    async def test_gives_up_in_the_end_and_counts_it(self):
        outbox = Outbox(FakeTarget([OSError() for _ in range(TRIES)]), first_wait_s=0.0001)
        outbox.put(alert())
        await delivered(outbox, until=1)
        assert (outbox.counts.delivered, outbox.counts.dropped) == (0, 1)

    async def test_does_not_try_again_what_is_refused(self):
        outbox = Outbox(FakeTarget([Refused("status 410")]), first_wait_s=10)
        outbox.put(alert())
        await delivered(outbox, until=1)
        assert (outbox.counts.retried, outbox.counts.dropped) == (0, 1)

    async def test_is_bounded_and_drops_the_oldest(self):
        target = FakeTarget()
        outbox = Outbox(target)
        for number in range(QUEUED + 10):
            outbox.put(alert(number))
        assert (outbox.queued, outbox.counts.dropped) == (QUEUED, 10)
        await delivered(outbox, until=QUEUED + 10)
        assert target.taken[0].subject == "node-1/cam10"


@pytest.mark.asyncio
async def test_a_webhook_is_signed_so_that_its_receiver_can_tell():
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await Webhook(client, "https://example.org/hook", SECRET, "Corner shop").deliver(alert())
    [request] = asked
    stamp, _, given = request.headers["x-ruid-signature"].partition(",v1=")
    expected = hmac.new(SECRET.encode(), stamp.removeprefix("t=").encode() + b"." + request.content, hashlib.sha256)
    assert given == expected.hexdigest()
    assert json.loads(request.content)["subject"] == "node-1/cam1"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "error"), [(500, httpx.HTTPStatusError), (429, httpx.HTTPStatusError), (410, Refused)]
)
async def test_which_answers_deserve_another_try(status: int, error: type[Exception]):
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(error):
            await Webhook(client, "https://example.org/hook", SECRET, "S").deliver(alert())


@pytest.mark.asyncio
async def test_ntfy_gets_topic_title_and_priority():
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await Ntfy(client, "https://ntfy.example.org/shop").deliver(alert())
    body = json.loads(asked[0].content)
    assert (str(asked[0].url), body["topic"], body["priority"]) == ("https://ntfy.example.org", "shop", 4)


def test_a_letter_cannot_be_given_other_headers_by_a_cameras_name():
    letter = Email("smtp://localhost", "hub@example.org", ("a@example.org",))._letter(alert())  # pyright: ignore[reportPrivateUsage]
    assert letter["Subject"] == "Camera down: Dö or"
    assert letter["To"] == "a@example.org"
