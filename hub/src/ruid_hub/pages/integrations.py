"""Settings: other systems that the hub tells about the site."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from ruid_hub.api.given import Given
from ruid_hub.api.integrations import service_of
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.choices import FIELDS, BadFields, Field, IntegrationError, Service
from ruid_hub.integrations.keeping import ServiceShown
from ruid_hub.pages.cameras import ADMINISTERING
from ruid_hub.pages.frame import Frame, Notice
from ruid_hub.pages.look import AnyRequest, Form, Look, several
from ruid_hub.pages.notices import refusal

PATH = "/settings/integrations"
WORDS = {
    Service.MQTT: ("Home Assistant and MQTT", "People, visitors and cameras appear in Home Assistant by themselves."),
    Service.WEBHOOK: ("Webhook", "Alerts as signed JSON to a program of your own."),
    Service.NTFY: ("ntfy", "Alerts on phones, by ntfy.sh or a server of your own."),
    Service.MAIL: ("E-mail", "Alerts by e-mail."),
    Service.ALERTS: (
        "Which alerts",
        "Webhook, ntfy and e-mail tell of a camera that is down or up again, of gaps, of people on the watch list.",
    ),
}
UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class FieldCard:
    """A field of a form; `text` is what stands in it, `kept` what may be told of a secret that there is."""

    field: Field
    text: str
    kept: str
    trouble: str


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """A service and its form; `open` where somebody works on it."""

    service: Service
    title: str
    about: str
    on: bool
    locked: bool
    may_be_tried: bool
    open: bool
    fields: tuple[FieldCard, ...]


@dataclass(frozen=True, slots=True)
class IntegrationsPage:
    """What pages/integrations.html needs."""

    template: ClassVar[str] = "pages/integrations.html"

    frame: Frame
    services: tuple[ServiceCard, ...]


@get(PATH, guards=ADMINISTERING, include_in_schema=False)
async def integrations_page(
    request: AnyRequest, look: Given[Look], integrations: Given[Integrations | None]
) -> Response[str]:
    """Every service, its state and its form."""
    services = await _there(integrations).services()
    worked_on = request.query_params.get("open", "")
    return look.page(IntegrationsPage(look.frame("settings"), tuple(_card(one, worked_on) for one in services)))


@post(f"{PATH}/{{service:str}}", guards=ADMINISTERING, include_in_schema=False)
async def save(
    service: FromPath[str], data: Form, look: Given[Look], integrations: Given[Integrations | None]
) -> Response[None] | Response[str]:
    """Keep what the form says, or show the form again with what is wrong beside each field."""
    asked = service_of(service)
    given = _given(asked, data)
    try:
        changed = await _there(integrations).save(asked, given, actor=look.actor)
    except BadFields as error:
        services = await _there(integrations).services()
        cards = tuple(
            _card(one, asked, troubles=error.troubles, typed=given) if one.service is asked else _card(one)
            for one in services
        )
        notice = Notice("Nothing was saved: look at what is marked below.", refused=True)
        return look.page(IntegrationsPage(look.frame("settings", notice), cards), status_code=UNPROCESSABLE)
    except IntegrationError as error:
        return look.go(_back(asked), refusal(error))
    await look.note("integration.save", asked.value, {"fields": list(changed)})
    return look.go(_back(asked), "Saved. The hub works by it now.")


@post(f"{PATH}/{{service:str}}/remove", guards=ADMINISTERING, include_in_schema=False)
async def remove(service: FromPath[str], look: Given[Look], integrations: Given[Integrations | None]) -> Response[None]:
    """Switch it off, and forget what was kept of it."""
    asked = service_of(service)
    try:
        removed = await _there(integrations).remove(asked)
    except IntegrationError as error:
        return look.go(_back(asked), refusal(error))
    if removed:
        await look.note("integration.remove", asked.value)
    return look.go(_back(asked), "Switched off; nothing of it is kept.")


@post(f"{PATH}/{{service:str}}/test", guards=ADMINISTERING, include_in_schema=False)
async def try_out(
    service: FromPath[str], look: Given[Look], integrations: Given[Integrations | None]
) -> Response[None]:
    """Send a test by what is saved, and say what became of it."""
    asked = service_of(service)
    try:
        tried = await _there(integrations).try_out(asked)
    except IntegrationError as error:
        return look.go(_back(asked), refusal(error))
    await look.note("integration.test", asked.value, {"arrived": tried.arrived})
    return look.go(_back(asked), Notice(tried.text, refused=not tried.arrived))


def _given(service: Service, data: Mapping[str, object]) -> dict[str, str | None]:
    """The form's fields; a secret whose box `forget` is ticked is None."""
    forgotten = set(several(data.get("forget")))
    names = [field.name for field in FIELDS[service]]
    return {name: None if name in forgotten else str(data.get(name, "")) for name in names}


def _card(
    shown: ServiceShown,
    worked_on: str = "",
    *,
    troubles: Mapping[str, str] | None = None,
    typed: Mapping[str, str | None] | None = None,
) -> ServiceCard:
    title, about = WORDS[shown.service]
    troubles, typed = troubles or {}, typed or {}
    return ServiceCard(
        service=shown.service,
        title=title,
        about=about,
        on=shown.on,
        locked=shown.locked,
        may_be_tried=shown.on and shown.service is not Service.ALERTS,
        open=worked_on == shown.service,
        fields=tuple(
            FieldCard(
                one.field,
                one.text if _is_password(one.field) else typed.get(one.field.name, one.text) or "",
                one.kept,
                troubles.get(one.field.name, ""),
            )
            for one in shown.fields
        ),
    )


def _is_password(field: Field) -> bool:
    """Not even what was just written comes back; an address that is kept secret does, until it is saved."""
    return field.secret and field.name != "url"


def _back(service: Service) -> str:
    return f"{PATH}?open={service.value}"


def _there(integrations: Integrations | None) -> Integrations:
    if integrations is None:
        raise NotFoundException
    return integrations
