"""The hub's settings, read once from environment variables (`RUID_…`) and options, never at import."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from ruid_hub.access.openid import reach_of, roles_of, safe_address
from ruid_hub.errors import BadSettings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LEAST_SETUP_CODE = 8
_SOURCE_TREE_WEB = Path(__file__).parents[3] / "web"


class HubSettings(msgspec.Struct, frozen=True, kw_only=True, rename=lambda name: f"RUID_{name.upper()}"):
    """Every setting of a hub; each is the environment variable `RUID_<NAME>`.

    `http_port` serves the pages, `node_port` the nodes. `access` is `required` (people sign in), or `open`: everybody
    is an admin, which a hub does only for the machine that it runs on; or `demonstration`: everybody may look and
    correct until there is an owner or a camera beside the bundled clips. `trusted_proxies` are addresses or networks,
    separated by spaces, of reverse proxies that are believed; `proxy_user_header` the header in which they say whom
    they have signed in. A new hub is set up with `setup_code`, or, where none is given, with one that it writes into
    its log. `oidc_issuer` is the address of an identity provider (OpenID Connect) that people may sign in with too;
    `oidc_client_id` and `oidc_client_secret` are what it knows this hub by, `oidc_name` stands on the button,
    `oidc_claim` (groups) is what `oidc_roles` maps to roles: `admins=admin; staff=operator; *=viewer`, and
    `oidc_reach` to sites, nodes and cameras: `admins=everywhere; north=site:north`; where that is empty, admins of the
    hub say who sees what. With `https` on `auto` the port of the pages speaks https and sends other machines there;
    `off` is for a reverse proxy on the same machine or network that does it. `database_url` is a postgresql://
    address, empty for a file in the state folder. `engine` names the identity engine, `web_dir` the folder of templates
    and static files. With `role` on `auto` this becomes the hub where the network has none, and stands by where it
    has; on `edge` it rests.
    `names` lists further names and addresses (separated by spaces) that the hub's certificate is good for: those of
    the machine that a container runs on. A node that can read `join_file`, which the hub writes, is let in unasked.
    `mqtt_…`, `webhook_…`, `ntfy_…`, `smtp_url` and `mail_…` (recipients separated by spaces) tell other systems about
    the site; `watch_list` holds names, separated by semicolons, and `alert_dedup_s` is how long one alert is not
    repeated. What is not set here can be set in the browser.
    `summary_file`, if named, gets a JSON account of the run when the hub stops.
    """

    site_name: str = "RuID"
    bind: str = "127.0.0.1"
    http_port: int = 8080
    node_port: int = 8765
    access: Literal["required", "open", "demonstration"] = "required"
    https: Literal["auto", "off"] = "auto"
    trusted_proxies: str = ""
    proxy_user_header: str = ""
    setup_code: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_name: str = "single sign-on"
    oidc_scopes: str = "openid profile email"
    oidc_claim: str = "groups"
    oidc_roles: str = ""
    oidc_reach: str = ""
    state_dir: str = "var/hub"
    database_url: str = ""
    web_dir: str = str(_SOURCE_TREE_WEB)
    engine: str = "ruid"
    role: Literal["auto", "hub", "edge", "both"] = "hub"
    names: str = ""
    join_file: str = ""
    mqtt_url: str = ""
    mqtt_topic: str = ""
    mqtt_discovery: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""
    ntfy_url: str = ""
    ntfy_token: str = ""
    smtp_url: str = ""
    mail_from: str = ""
    mail_to: str = ""
    watch_list: str = ""
    alert_dedup_s: float | None = None
    summary_file: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def own_machine_only(self) -> bool:
        """Nobody but this very machine can ask, and nobody asks for others."""
        return self.bind in _LOOPBACK and not self.trusted_proxies

    @property
    def joining_file(self) -> str:
        """The file that lets nodes in unasked; a demonstration has one of its own, which only its clips are told of."""
        return (
            f"{self.join_file}.demonstration" if self.join_file and self.access == "demonstration" else self.join_file
        )

    @property
    def database(self) -> Path | str:
        """Where the database is: an address, or a file in the state folder."""
        return self.database_url or Path(self.state_dir) / "hub.db"


def load_settings(environment: Mapping[str, str], **options: object) -> HubSettings:
    """Return the settings; an option that is not None wins over the environment.

    Raises `BadSettings` that names the variable and what it should be.
    """
    known = {field.encode_name for field in msgspec.structs.fields(HubSettings)}
    values: dict[str, Any] = {key: value for key, value in environment.items() if key in known and value != ""}
    values |= {f"RUID_{key.upper()}": value for key, value in options.items() if value is not None}
    try:
        settings = msgspec.convert(values, HubSettings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(f"a setting cannot be used: {error}") from error
    _check_access(settings)
    _check_integrations(settings)
    _check_openid(settings)
    for name, port in (("RUID_HTTP_PORT", settings.http_port), ("RUID_NODE_PORT", settings.node_port)):
        if not 0 <= port <= 65535:
            raise BadSettings(f"{name} is {port}: a port lies between 0 (any free one) and 65535")
    return settings


def _check_access(settings: HubSettings) -> None:
    if settings.access == "open" and settings.bind not in _LOOPBACK:
        raise BadSettings(
            f"RUID_ACCESS is 'open' and RUID_BIND is '{settings.bind}': anybody on the network could do anything; "
            "bind to 127.0.0.1, or let people sign in"
        )
    if settings.access == "demonstration" and settings.trusted_proxies:
        raise BadSettings(
            "RUID_ACCESS is 'demonstration' and RUID_TRUSTED_PROXIES is set: others could come in through the proxy "
            "under this machine's own name; leave one of them out"
        )
    if settings.setup_code and len(settings.setup_code) < _LEAST_SETUP_CODE:
        raise BadSettings(f"RUID_SETUP_CODE has at least {_LEAST_SETUP_CODE} characters")
    try:
        for network in settings.trusted_proxies.split():
            ip_network(network, strict=False)
    except ValueError as error:
        raise BadSettings(f"RUID_TRUSTED_PROXIES: {error}") from error


def _check_openid(settings: HubSettings) -> None:
    if not settings.oidc_issuer:
        return
    if not safe_address(settings.oidc_issuer):
        raise BadSettings("RUID_OIDC_ISSUER begins with https://")
    if not settings.oidc_client_id:
        raise BadSettings("RUID_OIDC_CLIENT_ID is missing: it is what the identity provider knows this hub by")
    try:
        roles = roles_of(settings.oidc_roles)
    except ValueError as error:
        raise BadSettings(f"RUID_OIDC_ROLES: {error}; write 'admins=admin; staff=operator; *=viewer'") from error
    try:
        reach_of(settings.oidc_reach)
    except ValueError as error:
        raise BadSettings(f"RUID_OIDC_REACH: {error}; write 'admins=everywhere; north=site:north'") from error
    if not roles:
        raise BadSettings("RUID_OIDC_ROLES is empty: nobody could come in; write 'admins=admin; *=viewer'")


def _check_integrations(settings: HubSettings) -> None:
    schemes = {
        "RUID_MQTT_URL": (settings.mqtt_url, {"mqtt", "mqtts"}),
        "RUID_WEBHOOK_URL": (settings.webhook_url, {"http", "https"}),
        "RUID_NTFY_URL": (settings.ntfy_url, {"http", "https"}),
        "RUID_SMTP_URL": (settings.smtp_url, {"smtp", "smtps"}),
    }
    for name, (url, known) in schemes.items():
        if url and urlsplit(url).scheme not in known:
            raise BadSettings(f"{name} begins with {' or '.join(sorted(f'{scheme}://' for scheme in known))}")
    if settings.webhook_url and len(settings.webhook_secret) < 16:
        raise BadSettings("RUID_WEBHOOK_SECRET has at least 16 characters: receivers check the signature with it")
