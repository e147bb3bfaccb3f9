"""Everything that tells other systems about the site, made from settings and run as one duty of the hub."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

import httpx
import structlog

from ruid_hub.counting import Bucket, Counting, CountingError, Period, Place
from ruid_hub.integrations.alerts import Alert, AlertKind, AlertRules
from ruid_hub.integrations.choices import IntegrationSettings, NothingToTest, Service
from ruid_hub.integrations.delivery import TIMEOUT_S, Email, Ntfy, Outbox, Target, Webhook, put_all
from ruid_hub.integrations.home_assistant import Messages, Topics, messages
from ruid_hub.integrations.keeping import Choices, ServiceShown
from ruid_hub.integrations.mqtt import MqttBridge, try_broker
from ruid_hub.site import Site

LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 60.0
_TARGETS = {Service.WEBHOOK: "webhook", Service.NTFY: "ntfy", Service.MAIL: "email"}

_CODE = re.compile(r"^\[code:\d+\] ")
"""What the MQTT library puts before a broker's own words."""
_log = structlog.get_logger("ruid_hub.integrations")


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a test, in words for whoever pressed the button."""

    arrived: bool
    text: str


class Integrations:
    """One per hub; `run` is its duty, and ends only when it is cancelled.

    With `choices`, what is saved works at once: the duty goes on with the new settings, and alerts that wait for a
    target go to wherever it is now.
    """

    def __init__(
        self,
        settings: IntegrationSettings,
        *,
        site: Site,
        counting: Counting | None,
        clock: Callable[[], float],
        choices: Choices | None = None,
    ) -> None:
        self._site = site
        self.counting = counting
        self._clock = clock
        self._choices = choices
        self._unique_today: int | None = None
        self._rules = AlertRules()
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        self._changed = asyncio.Event()
        self.outboxes: Sequence[Outbox] = ()
        self.mqtt: MqttBridge | None = None
        self._topics = Topics(settings.mqtt_topic, settings.mqtt_discovery, settings.hub_id)
        self._take(settings)

    # --- what is set -----------------------------------------------------------------------------------

    async def services(self) -> tuple[ServiceShown, ...]:
        """What may be told of each; none where nothing can be set."""
        return await asyncio.to_thread(self._choices.services) if self._choices else ()

    async def save(self, service: Service, given: Mapping[str, str | None], *, actor: str) -> tuple[str, ...]:
        """Keep it and work by it from now on; which fields changed. Raises BadFields or SetByVariables."""
        if self._choices is None:
            return ()
        changed = await asyncio.to_thread(self._choices.save, service, given, actor=actor)
        await self._go_on()
        return changed

    async def remove(self, service: Service) -> bool:
        """Switch it off; False where it was off. Raises SetByVariables."""
        if self._choices is None:
            return False
        removed = await asyncio.to_thread(self._choices.remove, service)
        await self._go_on()
        return removed

    async def try_out(self, service: Service) -> Tried:
        """Send something by what is set now, past the queue. Raises NothingToTest."""
        try:
            async with asyncio.timeout(2 * TIMEOUT_S):
                await self._send_test(service)
        except NothingToTest:
            raise
        except Exception as error:
            return Tried(arrived=False, text=_why(error))
        return Tried(arrived=True, text="It arrived: the other side took it.")

    async def _send_test(self, service: Service) -> None:
        if service is Service.MQTT and self._settings.mqtt_url:
            await try_broker(self._settings.mqtt_url, topics=self._topics)
            return
        name = _TARGETS.get(service)
        target = next((outbox.target for outbox in self.outboxes if outbox.target.name == name), None)
        if target is None:
            raise NothingToTest
        text = f"This is a test from {self._settings.site_name}. Alerts arrive here."
        await target.deliver(Alert(AlertKind.TEST, "test", self._clock(), "A test of alerts", text))

    async def _go_on(self) -> None:
        if self._choices is not None:
            self._take(await asyncio.to_thread(self._choices.settings))
            self._changed.set()

    def _take(self, settings: IntegrationSettings) -> None:
        self._settings = settings
        self._rules.watch_list, self._rules.dedup_s = settings.watch_list, settings.alert_dedup_s
        before = {outbox.target.name: outbox for outbox in self.outboxes}
        self.outboxes = tuple(_outbox(before, target) for target in _targets(settings, self._http))
        topics = Topics(settings.mqtt_topic, settings.mqtt_discovery, settings.hub_id)
        bridge = MqttBridge(settings.mqtt_url, topics=topics, wanted=self._wanted) if settings.mqtt_url else None
        if self.mqtt is not None and (bridge is None or bridge.place != self.mqtt.place):
            self.mqtt.leave()
        if self.mqtt is None or bridge is None or bridge.place != self.mqtt.place or bridge.url != self.mqtt.url:
            self._topics, self.mqtt = topics, bridge

    # --- the duty --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look, tell and deliver for ever."""
        try:
            while True:
                await self._run_until_changed()
        finally:
            await self._http.aclose()

    async def _run_until_changed(self) -> None:
        self._changed.clear()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(duty) for duty in self._duties()]
            await self._changed.wait()
            for task in tasks:
                task.cancel()

    def _duties(self) -> list[Coroutine[None, None, None]]:
        duties: list[Coroutine[None, None, None]] = [outbox.run() for outbox in self.outboxes]
        if self.outboxes:
            duties.append(self._watch())
        if self.mqtt is not None:
            duties += [self.mqtt.run(), self._count()]
        return duties

    async def _watch(self) -> None:
        while True:
            at_s = self._clock()
            put_all(self.outboxes, self._rules.alerts(self._site.view(at_s), at_s))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _count(self) -> None:
        """Visitors since midnight, which takes too long to count every second."""
        while self.counting is not None:
            try:
                self._unique_today = await asyncio.to_thread(_visitors_today, self.counting, self._clock())
            except CountingError as error:
                _log.warning("visitors not counted", error=str(error))
            await asyncio.sleep(COUNT_EVERY_S)

    def _wanted(self) -> Messages:
        return messages(
            self._site.view(self._clock()),
            topics=self._topics,
            site_name=self._settings.site_name,
            version=self._settings.version,
            unique_today=self._unique_today,
        )


def _visitors_today(counting: Counting, at_s: float) -> int:
    today = Period(counting.day(at_s).from_s, at_s)
    return round(counting.unique_visitors(today, Bucket.DAY, Place()).total.value)


def _outbox(before: Mapping[str, Outbox], target: Target) -> Outbox:
    """The one that was there for a target of that name, with all that waits in it."""
    outbox = before.get(target.name)
    if outbox is None:
        return Outbox(target)
    outbox.target = target
    return outbox


def _why(error: Exception) -> str:
    """Why a test did not arrive, without the address that it went to."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"The other side answered with status {error.response.status_code}."
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "The other side did not answer in time."
    text = _CODE.sub("", " ".join(str(error).split()))[:200] or type(error).__name__
    return f"It did not arrive: {text}."


def _targets(settings: IntegrationSettings, http: httpx.AsyncClient) -> list[Target]:
    targets: list[Target] = []
    if settings.webhook_url:
        targets.append(Webhook(http, settings.webhook_url, settings.webhook_secret, settings.site_name))
    if settings.ntfy_url:
        targets.append(Ntfy(http, settings.ntfy_url, settings.ntfy_token))
    if settings.smtp_url and settings.mail_to:
        targets.append(Email(settings.smtp_url, settings.mail_from, settings.mail_to))
    return targets
