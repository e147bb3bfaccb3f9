"""What can be set about integrations, in the browser or by variables, and what is wrong with what was written.

Pure: fields and texts in, values or troubles by field out. A secret is never given back: of an address that lets
whoever knows it in (a webhook's, a topic of ntfy) the place alone is shown, of a password that there is one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlsplit

from ruid_hub.errors import HubError

LONGEST = 500
MOST_RECIPIENTS = 20
LEAST_SIGNING_SECRET = 16
LONGEST_SILENCE_S = 7 * 86_400.0

Values = Mapping[str, str]
Check = Callable[[str], str]
"""What is wrong with a text; empty where nothing is."""


class Service(StrEnum):
    """What is set together, and kept as one row."""

    MQTT = "mqtt"
    WEBHOOK = "webhook"
    NTFY = "ntfy"
    MAIL = "mail"
    ALERTS = "alerts"
    """Which alerts there are; where they go is what the others say."""


class IntegrationError(HubError):
    """Something about integrations cannot be done."""


class BadFields(IntegrationError):
    """`troubles` says what is wrong, by field."""

    def __init__(self, troubles: Mapping[str, str]) -> None:
        super().__init__()
        self.troubles = dict(troubles)

    def __str__(self) -> str:
        return "; ".join(f"{name}: {trouble}" for name, trouble in self.troubles.items())


class SetByVariables(IntegrationError):
    """The hub was started with variables that say it: they win."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service

    def __str__(self) -> str:
        return "this is set by variables of the hub: change it there"


class NothingToTest(IntegrationError):
    """The integration is off, or has nobody to tell."""

    def __str__(self) -> str:
        return "this is not set: save it first, then try it"


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


# --- what is wrong with a text -------------------------------------------------------------------------


def address(*schemes: str, path: bool = False) -> Check:
    """Addresses that begin with one of the schemes; without a path unless told otherwise."""
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(text: str) -> str:
        place = _split(text)
        if place is None or place.scheme not in schemes or not place.hostname:
            return f"Begin with {beginnings} and the name of the other side."
        if place.username is not None or place.password is not None:
            return "Write user and password into fields of their own." if not path else "Leave the user out."
        if not path and (place.path not in {"", "/"} or place.query or place.fragment):
            return "Only the name and the port of the other side belong here."
        return ""

    return check


def _topic_of_ntfy(text: str) -> str:
    trouble = address("https", "http", path=True)(text)
    if trouble:
        return trouble
    return "" if urlsplit(text).path.strip("/") else "Add the topic: https://ntfy.sh/topic."


def _topic(text: str) -> str:
    fits = text.strip("/") == text and not set(text) & set("+#\0 ")
    return "" if fits else "A topic has neither +, # nor spaces, and no / at its ends."


def _mailbox(text: str) -> str:
    name, mark, place = text.partition("@")
    fits = mark and name and place and "@" not in place and not set(text) & set(' ,;<>"')
    return "" if fits else f"“{text}” is no address of e-mail."


def _mailboxes(text: str) -> str:
    boxes = text.split()
    if len(boxes) > MOST_RECIPIENTS:
        return f"At most {MOST_RECIPIENTS} addresses."
    return next((trouble for box in boxes if (trouble := _mailbox(box))), "")


def _signing_secret(text: str) -> str:
    fits = len(text) >= LEAST_SIGNING_SECRET
    return "" if fits else f"At least {LEAST_SIGNING_SECRET} characters: receivers check the signature with it."


def _silence(text: str) -> str:
    try:
        fits = 0 <= float(text) <= LONGEST_SILENCE_S
    except ValueError:
        fits = False
    return "" if fits else f"A number of seconds from 0 to {LONGEST_SILENCE_S:.0f}."


def _anything(_: str) -> str:
    return ""


def _split(text: str) -> SplitResult | None:
    try:
        place = urlsplit(text)
        _ = place.port
    except ValueError:
        return None
    return None if any(character.isspace() for character in text) else place


# --- what there is to set ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing to set. `goes_to` names the address that a secret is sent to: asked for anew when that changes."""

    name: str
    label: str
    check: Check = _anything
    hint: str = ""
    example: str = ""
    default: str = ""
    required: bool = False
    secret: bool = False
    goes_to: str = ""

    def trouble(self, text: str) -> str:
        """What is wrong with a text; empty where nothing is."""
        if not text:
            return "This is needed." if self.required else ""
        if len(text) > LONGEST or not text.isprintable():
            return f"At most {LONGEST} characters, and only visible ones."
        return self.check(text)


FIELDS: Mapping[Service, tuple[Field, ...]] = {
    Service.MQTT: (
        Field(
            name="url",
            label="Address of the broker",
            check=address("mqtt", "mqtts"),
            example="mqtt://homeassistant.local:1883",
            hint="mqtts:// where the broker speaks TLS.",
            required=True,
        ),
        Field(name="user", label="User"),
        Field(name="password", label="Password", secret=True, goes_to="url"),
        Field(name="topic", label="Topic of the states", check=_topic, default="ruid", required=True),
        Field(name="discovery", label="Topic of discovery", check=_topic, default="homeassistant", required=True),
    ),
    Service.WEBHOOK: (
        Field(
            name="url",
            label="Address",
            check=address("https", "http", path=True),
            example="https://example.org/hook",
            required=True,
            secret=True,
        ),
        Field(
            name="secret",
            label="Secret for the signature",
            check=_signing_secret,
            hint=f"At least {LEAST_SIGNING_SECRET} characters; the receiver checks the signature with it.",
            required=True,
            secret=True,
        ),
    ),
    Service.NTFY: (
        Field(
            name="url",
            label="Server and topic",
            check=_topic_of_ntfy,
            example="https://ntfy.sh/a-topic-that-nobody-guesses",
            hint="Whoever knows the topic reads along.",
            required=True,
            secret=True,
        ),
        Field(name="token", label="Token", hint="Where the server asks for one.", secret=True, goes_to="url"),
    ),
    Service.MAIL: (
        Field(
            name="url",
            label="Mail server",
            check=address("smtp", "smtps"),
            example="smtp://mail.example.org:587",
            hint="smtps:// for TLS from the start; smtp:// takes STARTTLS where it is offered.",
            required=True,
        ),
        Field(name="user", label="User"),
        Field(name="password", label="Password", secret=True, goes_to="url"),
        Field(name="sender", label="From", check=_mailbox, example="hub@example.org", required=True),
        Field(
            name="recipients",
            label="To",
            check=_mailboxes,
            example="mara@example.org ben@example.org",
            hint="Several with spaces between them.",
            required=True,
        ),
    ),
    Service.ALERTS: (
        Field(
            name="watch_list",
            label="Watch list",
            example="Banned; VIP",
            hint="Names with semicolons between them: whoever is called so, or so and something more, is on it.",
        ),
        Field(
            name="dedup_s",
            label="Do not repeat an alert for, in seconds",
            check=_silence,
            default="600",
            required=True,
        ),
    ),
}


def checked(service: Service, given: Mapping[str, str | None], kept: Values) -> dict[str, str]:
    """What is kept from now on. Raises BadFields.

    A secret that is not given, or empty, stays as it was; None forgets it. Anything else that is missing is left out.
    """
    fields = FIELDS[service]
    known = {field.name for field in fields}
    troubles = dict.fromkeys(given.keys() - known, "There is nothing of that name.")
    wanted = {field.name: _wanted(field, given, kept) for field in fields}
    for field in fields:
        trouble = field.trouble(wanted[field.name])
        if not trouble and _goes_astray(field, wanted, given, kept):
            trouble = "The address has changed: write this again, so that it goes nowhere by mistake."
        if trouble:
            troubles[field.name] = trouble
    if troubles:
        raise BadFields(troubles)
    return {name: text for name, text in wanted.items() if text}


def _wanted(field: Field, given: Mapping[str, str | None], kept: Values) -> str:
    text = given.get(field.name, "")
    if field.secret:
        return "" if text is None else text.strip() or kept.get(field.name, "")
    return " ".join((text or "").replace(",", " ").split()) if field.name == "recipients" else (text or "").strip()


def _goes_astray(field: Field, wanted: Values, given: Mapping[str, str | None], kept: Values) -> bool:
    """Whether a secret that nobody has written anew would go to another place than before."""
    kept_as_it_was = wanted[field.name] and not given.get(field.name)
    return bool(
        kept_as_it_was and field.goes_to and _place(wanted[field.goes_to]) != _place(kept.get(field.goes_to, ""))
    )


def _place(url: str) -> tuple[str, str | None, int | None] | None:
    """Where something is sent to; None for what is no address."""
    place = _split(url)
    return None if place is None else (place.scheme, place.hostname, place.port)


# --- what is shown -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldShown:
    """A field as a page may show it: `text` is empty for secrets, of which `kept` says that there is one."""

    field: Field
    text: str
    kept: str


def shown(service: Service, values: Values) -> tuple[FieldShown, ...]:
    """The fields of a service with what may be told of them."""
    return tuple(_shown(field, values.get(field.name, "")) for field in FIELDS[service])


def _shown(field: Field, value: str) -> FieldShown:
    if not field.secret:
        return FieldShown(field, without_secrets(value) if value else field.default, "")
    if not value:
        return FieldShown(field, "", "")
    place = _split(value) if field.name == "url" else None
    return FieldShown(field, "", f"{place.scheme}://{place.hostname}/…" if place else "kept")


def without_secrets(text: str) -> str:
    """An address without user and password; any other text as it is."""
    place = _split(text)
    if place is None or not place.scheme or "@" not in place.netloc:
        return text
    return place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()


# --- what follows for the hub --------------------------------------------------------------------------


def composed(base: IntegrationSettings, chosen: Mapping[Service, Values]) -> IntegrationSettings:
    """The settings that integrations are made from; a service that nobody has chosen is left out."""
    return replace(base, **dict(_composed(chosen)))


def _composed(chosen: Mapping[Service, Values]) -> Iterator[tuple[str, object]]:
    mqtt, webhook, ntfy, mail, alerts = (_filled(service, chosen.get(service, {})) for service in Service)
    yield "mqtt_url", _with_user(mqtt)
    yield from (("mqtt_topic", mqtt["topic"]), ("mqtt_discovery", mqtt["discovery"]))
    yield from (("webhook_url", webhook["url"]), ("webhook_secret", webhook["secret"]))
    yield from (("ntfy_url", ntfy["url"]), ("ntfy_token", ntfy["token"]))
    yield "smtp_url", _with_user(mail)
    yield from (("mail_from", mail["sender"]), ("mail_to", tuple(mail["recipients"].split())))
    names = (name.strip() for name in alerts["watch_list"].split(";"))
    yield from (("watch_list", tuple(name for name in names if name)), ("alert_dedup_s", float(alerts["dedup_s"])))


def _filled(service: Service, values: Values) -> dict[str, str]:
    return {field.name: values.get(field.name) or field.default for field in FIELDS[service]}


def _with_user(values: Values) -> str:
    """The address with user and password in it, as variables have it from the start."""
    url, user = values["url"], values["user"]
    if not url or not user:
        return url
    place = urlsplit(url)
    return place._replace(netloc=f"{quote(user, safe='')}:{quote(values['password'], safe='')}@{place.netloc}").geturl()
