"""Signing in with an identity provider: OpenID Connect, by authorization code with PKCE (RFC 7636).

`begin` says where to send the browser and what it carries meanwhile, `finish` turns what it comes back with into
somebody whom the provider vouches for. The provider's addresses and keys come from its discovery document. An ID token
counts only with a signature of one of those keys, for this hub, from this issuer, in its time and with the nonce of
this very browser. (OpenID Connect Core 1.0, 3.1.3.7.)

PyJWT checks the signature and the registered claims: it is small, needs nothing but `cryptography`, which the hub has
anyway, and code that decides who comes in is better read by many. Authlib would do the rest too, and bring a framework.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import jwt
from cryptography.fernet import Fernet, InvalidToken

from ruid_hub.access.errors import AccessError
from ruid_hub.access.secrets import new_secret, same
from ruid_hub.access.values import EVERYWHERE, Reach, Role

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key pair alone: never `none`, never one that the hub's own secret could have made."""
ANYBODY = "*"
ALL_CAMERAS = "everywhere"
"""What stands for every camera where groups are mapped to a reach."""
FLOW_S = 600
"""So long may somebody take to sign in at the provider."""
KNOWN_S = 3600.0
KEYS_NOT_BEFORE_S = 60.0
LEEWAY_S = 60.0
TIMEOUT_S = 10.0
LARGEST_ANSWER_BYTES = 1_000_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OpenIdError(AccessError):
    """Somebody could not be let in by the provider; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class NotVouchedFor(OpenIdError):
    """The provider is away, said no, or said something that cannot be believed."""


class NoRole(OpenIdError):
    """The provider knows them, but none of their groups has a role here, or may see any camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdSettings:
    """`roles` maps the values of `claim` to roles, `*` standing for everybody; the highest that fits counts.

    `reach` maps them to what may be seen; all that fit count together. Where it is empty, admins cut the reach.
    """

    issuer: str
    client_id: str
    client_secret: str = ""
    name: str
    scopes: str
    claim: str
    roles: Mapping[str, Role]
    reach: Mapping[str, Reach]


@dataclass(frozen=True, slots=True)
class Begun:
    """`address` is where the browser goes, `carried` what it brings back in a cookie."""

    address: str
    carried: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom the provider has signed in; `subject` is theirs for ever, the name may change."""

    subject: str
    name: str
    role: Role
    onward: str
    reach: Reach | None = None
    """What they may see; None where the hub's admins say it."""


@dataclass(frozen=True, slots=True)
class _Provider:
    authorization: str
    token: str
    userinfo: str
    keys: str
    posts_secret: bool
    read_at_s: float


class OpenId:
    """One per hub. It keeps nothing of those who are signing in: their browsers carry it, sealed."""

    def __init__(
        self,
        settings: OpenIdSettings,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._transport = transport
        self._seal = Fernet(Fernet.generate_key())
        self._provider: _Provider | None = None
        self._keys: Sequence[jwt.PyJWK] = ()
        self._keys_at_s = float("-inf")
        self._lock = asyncio.Lock()

    async def begin(self, *, redirect_uri: str, onward: str) -> Begun:
        """Raises NotVouchedFor where the provider is away."""
        async with self._client() as client:
            provider = await self._discover(client)
        state, nonce, verifier = new_secret(), new_secret(), new_secret() + new_secret()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        carried = {"state": state, "nonce": nonce, "verifier": verifier, "uri": redirect_uri, "onward": onward}
        sealed = self._seal.encrypt_at_time(json.dumps(carried).encode(), int(self._clock()))
        mark = "&" if "?" in provider.authorization else "?"
        return Begun(f"{provider.authorization}{mark}{urlencode(asked)}", sealed.decode())

    async def finish(self, answer: Mapping[str, str], *, carried: str) -> Vouched:
        """`answer` is what the provider sent the browser back with. Raises NotVouchedFor or NoRole."""
        flow = self._flow(answer, carried)
        async with self._client() as client:
            provider = await self._discover(client)
            tokens = await self._exchange(client, provider, answer["code"], flow)
            claims = await self._checked(client, provider, str(tokens.get("id_token", "")), nonce=flow["nonce"])
            claims = await self._with_userinfo(client, provider, claims, str(tokens.get("access_token", "")))
        groups = self._groups(claims)
        role, reach = self._role(groups), self._reach(groups)
        name = next((claims[key] for key in ("preferred_username", "name", "email") if claims.get(key)), claims["sub"])
        return Vouched(f"{self.settings.issuer} {claims['sub']}", str(name), role, flow["onward"], reach)

    # --- the browser -----------------------------------------------------------------------------------

    def _flow(self, answer: Mapping[str, str], carried: str) -> dict[str, str]:
        try:
            flow: dict[str, str] = json.loads(
                self._seal.decrypt_at_time(carried.encode(), ttl=FLOW_S, current_time=int(self._clock()))
            )
        except (InvalidToken, ValueError) as error:
            raise NotVouchedFor("the browser brought nothing of a sign-in that was begun here, or too late") from error
        if not same(answer.get("state", ""), flow["state"]):
            raise NotVouchedFor("the state is that of another sign-in")
        if answer.get("iss", self.settings.issuer) != self.settings.issuer:
            raise NotVouchedFor("another provider answered")
        if "code" not in answer:
            raise NotVouchedFor(f"the provider said: {answer.get('error', 'nothing')[:100]}")
        return flow

    # --- the provider ----------------------------------------------------------------------------------

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, transport=self._transport)

    async def _discover(self, client: httpx.AsyncClient) -> _Provider:
        async with self._lock:
            if self._provider is None or self._clock() - self._provider.read_at_s > KNOWN_S:
                issuer = self.settings.issuer
                told = await _asked(client, "GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if told.get("issuer") != issuer:
                    raise NotVouchedFor(f"the discovery document is that of {str(told.get('issuer'))[:200]}")
                self._provider = _provider_of(told, self._clock())
        return self._provider

    async def _exchange(
        self, client: httpx.AsyncClient, provider: _Provider, code: str, flow: Mapping[str, str]
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow["uri"],
            "code_verifier": flow["verifier"],
        }
        client_id, secret = self.settings.client_id, self.settings.client_secret
        if secret and not provider.posts_secret:
            # RFC 6749, 2.3.1: both are encoded before they become a user and a password.
            basic = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
            return await _asked(client, "POST", provider.token, data=form, auth=basic)
        form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        return await _asked(client, "POST", provider.token, data=form)

    async def _checked(
        self, client: httpx.AsyncClient, provider: _Provider, token: str, *, nonce: str
    ) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(client, provider, header.get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key=key.key,
                algorithms=[header["alg"]] if header["alg"] in ALGORITHMS else [],
                audience=self.settings.client_id,
                issuer=self.settings.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
            raise NotVouchedFor(f"the ID token cannot be believed: {error}") from error
        if not same(str(claims.get("nonce", "")), nonce):
            raise NotVouchedFor("the ID token is that of another sign-in")
        if claims.get("azp", self.settings.client_id) != self.settings.client_id:
            raise NotVouchedFor("the ID token was made for another program")
        return claims

    async def _key(self, client: httpx.AsyncClient, provider: _Provider, key_id: str | None) -> jwt.PyJWK:
        """The key that a token names, read anew once where it is not known. Raises NotVouchedFor."""
        async with self._lock:
            known = _named(self._keys, key_id)
            if known is None and self._clock() - self._keys_at_s > KEYS_NOT_BEFORE_S:
                told = await _asked(client, "GET", provider.keys)
                self._keys = _usable_keys(told.get("keys"))
                self._keys_at_s = self._clock()
                known = _named(self._keys, key_id)
        if known is None:
            raise NotVouchedFor("the provider has no such key")
        return known

    async def _with_userinfo(
        self, client: httpx.AsyncClient, provider: _Provider, claims: dict[str, Any], access_token: str
    ) -> dict[str, Any]:
        """Many providers tell groups and names there alone."""
        complete = self.settings.claim in claims and "preferred_username" in claims
        if complete or not provider.userinfo or not access_token:
            return claims
        told = await _asked(client, "GET", provider.userinfo, headers={"Authorization": f"Bearer {access_token}"})
        if told.get("sub") != claims["sub"]:
            raise NotVouchedFor("the provider told of somebody else")
        return {**told, **claims}

    def _groups(self, claims: Mapping[str, Any]) -> set[str]:
        told = claims.get(self.settings.claim)
        groups: list[object] = told if isinstance(told, list) else [told]  # pyright: ignore[reportUnknownVariableType]
        return {ANYBODY, *(group for group in groups if isinstance(group, str))}

    def _role(self, groups: set[str]) -> Role:
        roles = [role for group, role in self.settings.roles.items() if group in groups]
        if not roles:
            raise NoRole("none of their groups has a role here")
        return max(roles)

    def _reach(self, groups: set[str]) -> Reach | None:
        if not self.settings.reach:
            return None
        given = [reach for group, reach in self.settings.reach.items() if group in groups]
        if not given:
            raise NoRole("none of their groups may see any camera")
        return EVERYWHERE if EVERYWHERE in given else Reach.of(place for reach in given for place in reach.places or ())


def roles_of(text: str) -> dict[str, Role]:
    """From `admins=admin; staff=operator; *=viewer`. Raises ValueError."""
    return {group: Role.of(word) for group, word in _by_group(text).items()}


def reach_of(text: str) -> dict[str, Reach]:
    """From `admins=everywhere; north=site:north; door=site:main node-1/cam0`. Raises ValueError."""
    return {
        group: EVERYWHERE if ALL_CAMERAS in places.split() else Reach.of(places.split())
        for group, places in _by_group(text).items()
    }


def _by_group(text: str) -> dict[str, str]:
    """What stands after each group of `group=words; group=words`."""
    given: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        group, mark, words = part.rpartition("=")
        if not mark or not group.strip() or not words.strip():
            raise ValueError(f"'{part}' is not a group and what it gets")
        given[group.strip()] = words.strip()
    return given


def safe_address(url: str) -> bool:
    """Https, or a provider on this very machine."""
    try:
        place = urlsplit(url)
    except ValueError:
        return False
    return bool(place.hostname) and (
        place.scheme == "https" or (place.scheme == "http" and place.hostname in _LOOPBACK)
    )


def _provider_of(told: Mapping[str, Any], at_s: float) -> _Provider:
    addresses = [str(told.get(f"{name}", "")) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    userinfo = str(told.get("userinfo_endpoint", ""))
    for address in (*addresses, *([userinfo] if userinfo else [])):
        if not safe_address(address):
            raise NotVouchedFor(f"the provider names an address that is not https: '{address[:200]}'")
    methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    posts = "client_secret_basic" not in methods and "client_secret_post" in methods
    return _Provider(addresses[0], addresses[1], userinfo, addresses[2], posts, at_s)


def _usable_keys(told: object) -> list[jwt.PyJWK]:
    """Those that sign, of kinds that are known here."""
    keys: list[jwt.PyJWK] = []
    for key in told if isinstance(told, list) else []:  # pyright: ignore[reportUnknownVariableType]
        try:
            if key.get("use", "sig") == "sig" and key.get("kty") != "oct":  # pyright: ignore[reportUnknownMemberType]
                keys.append(jwt.PyJWK(key))  # pyright: ignore[reportUnknownArgumentType]
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
    return keys


def _named(keys: Sequence[jwt.PyJWK], key_id: str | None) -> jwt.PyJWK | None:
    if key_id is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == key_id), None)


async def _asked(client: httpx.AsyncClient, method: str, url: str, **more: Any) -> dict[str, Any]:
    """What the provider answers; raises NotVouchedFor."""
    try:
        async with client.stream(method, url, **more) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise NotVouchedFor("the provider's answer is too large")
        told = json.loads(body)
    except (httpx.HTTPError, ValueError) as error:
        raise NotVouchedFor(f"the provider cannot be asked: {type(error).__name__}") from error
    if not answer.is_success or not isinstance(told, dict):
        raise NotVouchedFor(f"the provider answered with status {answer.status_code}")
    return told  # pyright: ignore[reportUnknownVariableType]
