"""What can be set about integrations: what is refused and where, what is kept, and what is never told again."""

from pathlib import Path

import pytest

from api_fakes import choices_of
from ruid_hub.integrations.choices import FIELDS, BadFields, Service, SetByVariables, Values, checked
from ruid_hub.integrations.keeping import Choices
from ruid_hub.integrations.sealing import KEY_FILE
from ruid_hub.store import Store, open_store

PASSWORD = "the broker's own password"  # noqa: S105 - a test's
HOOK = "https://hooks.example.org/services/T0/secret-part"
MQTT = {"url": "mqtt://broker.lan:1883", "user": "hub", "password": PASSWORD}
MAIL = {"url": "smtp://mail.example.org:587", "sender": "hub@example.org", "recipients": "a@example.org"}


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(tmp_path / "hub.db")
    yield opened
    opened.close()


@pytest.fixture
def choices(store: Store, tmp_path: Path) -> Choices:
    return choices_of(store, tmp_path)


@pytest.mark.parametrize(
    ("service", "field", "text"),
    [
        (Service.MQTT, "url", ""),
        (Service.MQTT, "url", "http://broker"),
        (Service.MQTT, "url", "mqtt://"),
        (Service.MQTT, "url", "mqtt://broker:port"),
        (Service.MQTT, "url", "mqtt://hub:secret@broker"),
        (Service.MQTT, "url", "mqtt://broker/path"),
        (Service.MQTT, "url", "mqtt://bro ker"),
        (Service.MQTT, "url", "mqtt://" + "b" * 600),
        (Service.MQTT, "topic", "ruid/#"),
        (Service.MQTT, "discovery", "/homeassistant"),
        (Service.MQTT, "user", "a\u0000b"),
        (Service.WEBHOOK, "url", "file:///etc/passwd"),
        (Service.WEBHOOK, "secret", "too short"),
        (Service.NTFY, "url", "https://ntfy.sh"),
        (Service.MAIL, "url", "https://mail.example.org"),
        (Service.MAIL, "sender", "nobody"),
        (Service.MAIL, "recipients", "a@example.org b"),
        (Service.MAIL, "recipients", " ".join(f"a{number}@example.org" for number in range(21))),
        (Service.ALERTS, "dedup_s", "soon"),
        (Service.ALERTS, "dedup_s", "nan"),
        (Service.ALERTS, "dedup_s", "-1"),
        (Service.MQTT, "no such field", "x"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_field(service: Service, field: str, text: str):
    with pytest.raises(BadFields) as refused:
        checked(service, {field: text}, {})
    assert field in refused.value.troubles


@pytest.mark.parametrize(
    ("service", "given"),
    [
        (Service.MQTT, {"url": "mqtts://broker.lan", "topic": "shop/ruid", "discovery": "homeassistant"}),
        (Service.WEBHOOK, {"url": HOOK, "secret": "0123456789abcdef"}),
        (Service.NTFY, {"url": "https://ntfy.example.org/shop"}),
        (Service.MAIL, {**MAIL, "recipients": "a@example.org, b@example.org"}),
        (Service.ALERTS, {"watch_list": "Banned; VIP", "dedup_s": "0"}),
    ],
)
def test_what_makes_sense_is_taken(service: Service, given: Values):
    needed = {field.name: field.default for field in FIELDS[service] if field.default}
    assert checked(service, {**needed, **given}, {}).keys() >= given.keys()


def test_what_is_saved_is_what_the_hub_works_by(choices: Choices):
    choices.save(Service.MQTT, {**MQTT, "topic": "ruid", "discovery": "ha"}, actor="Olga")
    choices.save(Service.MAIL, {**MAIL, "recipients": "a@example.org,b@example.org"}, actor="Olga")
    choices.save(Service.ALERTS, {"watch_list": "Banned; VIP;", "dedup_s": "60"}, actor="Olga")
    settings = choices.settings()
    assert settings.mqtt_url == "mqtt://hub:the%20broker%27s%20own%20password@broker.lan:1883"
    assert (settings.mqtt_discovery, settings.mail_to) == ("ha", ("a@example.org", "b@example.org"))
    assert (settings.watch_list, settings.alert_dedup_s) == (("Banned", "VIP"), 60.0)
    assert (settings.ntfy_url, settings.webhook_url) == ("", "")


class TestSecrets:
    def test_are_not_readable_in_the_database_nor_told_again(self, choices: Choices, tmp_path: Path):
        choices.save(Service.MQTT, {**MQTT, "topic": "ruid", "discovery": "ha"}, actor="Olga")
        choices.save(Service.WEBHOOK, {"url": HOOK, "secret": "a secret of some length"}, actor="Olga")
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
        told = repr(choices.services())
        for secret in (PASSWORD, "secret-part", "a secret of some length"):
            assert secret.encode() not in kept
            assert secret not in told
        assert "https://hooks.example.org/…" in told

    def test_are_lost_without_their_key_and_everything_else_stays(self, choices: Choices, tmp_path: Path):
        choices.save(Service.MQTT, {**MQTT, "topic": "ruid", "discovery": "ha"}, actor="Olga")
        (tmp_path / KEY_FILE).unlink()
        assert choices.settings().mqtt_url == "mqtt://hub:@broker.lan:1883"

    def test_have_a_key_that_the_hub_alone_can_read(self, choices: Choices, tmp_path: Path):
        choices.save(Service.WEBHOOK, {"url": HOOK, "secret": "a secret of some length"}, actor="Olga")
        assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0

    def test_stay_where_nothing_is_written_and_go_when_told(self, choices: Choices):
        rest = {"topic": "ruid", "discovery": "ha"}
        choices.save(Service.MQTT, {**MQTT, **rest}, actor="Olga")
        changed = choices.save(Service.MQTT, {**MQTT, **rest, "password": "", "discovery": "other"}, actor="Olga")
        assert changed == ("discovery",)
        assert "password" in choices.settings().mqtt_url
        choices.save(Service.MQTT, {**MQTT, **rest, "password": None}, actor="Olga")
        assert "password" not in choices.settings().mqtt_url

    @pytest.mark.parametrize("url", ["mqtt://elsewhere.example", "mqtts://broker.lan:1883", "mqtt://broker.lan:1884"])
    def test_do_not_follow_an_address_that_somebody_changes(self, choices: Choices, url: str):
        rest = {"topic": "ruid", "discovery": "ha"}
        choices.save(Service.MQTT, {**MQTT, **rest}, actor="Olga")
        with pytest.raises(BadFields) as refused:
            choices.save(Service.MQTT, {**rest, "url": url, "user": "hub"}, actor="Olga")
        assert "write this again" in refused.value.troubles["password"]

    @pytest.mark.parametrize("url", ["", "mqtt://[broken", "mqtt://broker:99999", "no address"])
    def test_do_not_keep_a_broken_address_from_being_named(self, choices: Choices, url: str):
        rest = {"topic": "ruid", "discovery": "ha"}
        choices.save(Service.MQTT, {**MQTT, **rest}, actor="Olga")
        with pytest.raises(BadFields) as refused:
            choices.save(Service.MQTT, {**rest, "url": url, "user": "hub"}, actor="Olga")
        assert "url" in refused.value.troubles


class TestVariables:
    def test_win_over_what_was_set_in_the_browser_and_are_shown_without_secrets(self, store: Store, tmp_path: Path):
        choices_of(store, tmp_path).save(Service.NTFY, {"url": "https://ntfy.sh/mine", "token": "t"}, actor="Olga")
        variables = {Service.NTFY: {"url": "https://ntfy.sh/theirs"}, Service.MQTT: {"url": "mqtt://hub:pw@broker"}}
        choices = choices_of(store, tmp_path, variables=variables)
        assert (choices.settings().ntfy_url, choices.settings().ntfy_token) == ("https://ntfy.sh/theirs", "")
        shown = {service.service: service for service in choices.services()}
        assert (shown[Service.MQTT].locked, shown[Service.MQTT].on, shown[Service.MAIL].locked) == (True, True, False)
        assert shown[Service.MQTT].fields[0].text == "mqtt://broker"
        assert "theirs" not in repr(shown)

    def test_cannot_be_changed_in_the_browser(self, store: Store, tmp_path: Path):
        choices = choices_of(store, tmp_path, variables={Service.MAIL: MAIL})
        with pytest.raises(SetByVariables):
            choices.save(Service.MAIL, MAIL, actor="Olga")
        with pytest.raises(SetByVariables):
            choices.remove(Service.MAIL)


def test_what_is_switched_off_is_forgotten(choices: Choices, tmp_path: Path):
    choices.save(Service.MAIL, MAIL, actor="Olga")
    assert choices.remove(Service.MAIL)
    assert not choices.remove(Service.MAIL)
    assert choices.settings().smtp_url == ""
    assert not any(service.on for service in choices.services())
