"""Everything that tells other systems about the site, made from settings and run as one duty of the hub."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import structlog

from ruid_hub.counting import Bucket, Counting, CountingError, Period, Place
from ruid_hub.integrations.alerts import AlertRules
from ruid_hub.integrations.delivery import TIMEOUT_S, Email, Ntfy, Outbox, Target, Webhook, put_all
from ruid_hub.integrations.home_assistant import Messages, Topics, messages
from ruid_hub.integrations.mqtt import MqttBridge
from ruid_hub.site import Site

LOOK_EVERY_S = 1.0
COUNT_EVERY_S = 60.0

_log = structlog.get_logger("ruid_hub.integrations")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationSettings:
    """An empty address leaves an integration out."""

    site_name: str
    hub_id: str
    version: str
    mqtt_url: str = ""
    mqtt_topic: str = "ruid"
    mqtt_discovery: str = "homeassistant"
    webhook_url: str = ""
    webhook_secret: str = ""
    ntfy_url: str = ""
    ntfy_token: str = ""
    smtp_url: str = ""
    mail_from: str = ""
    mail_to: tuple[str, ...] = ()
    watch_list: tuple[str, ...] = ()
    alert_dedup_s: float = 600.0


class Integrations:
    """One per hub; `run` is its duty, and ends only when it is cancelled."""

    def __init__(
        self,
        settings: IntegrationSettings,
        *,
        site: Site,
        counting: Counting | None,
        clock: Callable[[], float],
    ) -> None:
        self._site = site
        self._counting = counting
        self._clock = clock
        self._settings = settings
        self._unique_today: int | None = None
        self._rules = AlertRules(watch_list=settings.watch_list, dedup_s=settings.alert_dedup_s)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        self.outboxes: Sequence[Outbox] = tuple(Outbox(target) for target in _targets(settings, self._http))
        self._topics = Topics(settings.mqtt_topic, settings.mqtt_discovery, settings.hub_id)
        self.mqtt = (
            MqttBridge(settings.mqtt_url, topics=self._topics, wanted=self._wanted) if settings.mqtt_url else None
        )

    async def run(self) -> None:
        """Look, tell and deliver for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                for outbox in self.outboxes:
                    group.create_task(outbox.run())
                if self.outboxes:
                    group.create_task(self._watch())
                if self.mqtt is not None:
                    group.create_task(self.mqtt.run())
                    group.create_task(self._count())
                await asyncio.Event().wait()
        finally:
            await self._http.aclose()

    async def _watch(self) -> None:
        while True:
            at_s = self._clock()
            put_all(self.outboxes, self._rules.alerts(self._site.view(at_s), at_s))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _count(self) -> None:
        """Visitors since midnight, which takes too long to count every second."""
        while self._counting is not None:
            try:
                self._unique_today = await asyncio.to_thread(_visitors_today, self._counting, self._clock())
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


def _targets(settings: IntegrationSettings, http: httpx.AsyncClient) -> list[Target]:
    targets: list[Target] = []
    if settings.webhook_url:
        targets.append(Webhook(http, settings.webhook_url, settings.webhook_secret, settings.site_name))
    if settings.ntfy_url:
        targets.append(Ntfy(http, settings.ntfy_url, settings.ntfy_token))
    if settings.smtp_url and settings.mail_to:
        targets.append(Email(settings.smtp_url, settings.mail_from, settings.mail_to))
    return targets
