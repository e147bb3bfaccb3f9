"""An identity provider for the tests, with real signatures and ways to misbehave."""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from hub_fakes import FakeClock
from ruid_hub.access import OpenId, OpenIdSettings, Reach, Role

ISSUER = "https://login.example.org/realm"
CLIENT, SECRET = "ruid-hub", "the client's secret: 100 %"
CODE = "a code"


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class FakeProvider:
    """`user` is who signs in next; `wrong` changes claims of the ID token; whatever else is a switch of its own."""

    clock: FakeClock = field(default_factory=FakeClock)
    user: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "preferred_username": "vera", "groups": ["staff"]}
    )
    wrong: dict[str, Any] = field(default_factory=dict[str, Any])
    userinfo: dict[str, Any] | None = None
    discovered: dict[str, Any] = field(default_factory=dict[str, Any])
    algorithm: str = "RS256"
    sign_with: rsa.RSAPrivateKey | str | None = None
    key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    key_id: str = "k1"
    shown_key_ids: list[str] = field(default_factory=lambda: ["k1"])
    asked: list[str] = field(default_factory=list[str])
    away: bool = False
    _sent: dict[str, str] = field(default_factory=dict[str, str])

    def openid(
        self,
        *,
        roles: Mapping[str, Role] | None = None,
        reach: Mapping[str, Reach] | None = None,
        secret: str = SECRET,
    ) -> OpenId:
        """A hub's side that talks to this provider."""
        settings = OpenIdSettings(
            issuer=ISSUER,
            client_id=CLIENT,
            client_secret=secret,
            name="Example",
            scopes="openid profile",
            claim="groups",
            roles=roles or {"admins": Role.ADMIN, "staff": Role.OPERATOR},
            reach=reach or {},
        )
        return OpenId(settings, clock=self.clock, transport=httpx.MockTransport(self._answer))

    def visit(self, address: str) -> dict[str, str]:
        """What a browser that was sent to `address` comes back with, once its user has signed in."""
        assert address.startswith(f"{ISSUER}/authorize?")
        self._sent = dict(parse_qsl(urlsplit(address).query))
        assert (self._sent["client_id"], self._sent["code_challenge_method"]) == (CLIENT, "S256")
        return {"code": CODE, "state": self._sent["state"], "iss": ISSUER}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/realm")
        self.asked.append(path)
        if self.away:
            raise httpx.ConnectError("nobody there")
        match path:
            case "/.well-known/openid-configuration":
                return httpx.Response(200, json=self._discovery())
            case "/keys":
                shown = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
                junk = [{"kty": "oct", "k": "c2VjcmV0", "kid": self.key_id}, {"kty": "new"}, "no key"]
                return httpx.Response(
                    200, json={"keys": [*junk, *({**shown, "kid": kid} for kid in self.shown_key_ids)]}
                )
            case "/token":
                return self._tokens(request)
            case "/userinfo":
                assert request.headers["authorization"] == "Bearer an access token"
                return httpx.Response(200, json=self.userinfo)
            case _:
                return httpx.Response(404, json={})

    def _discovery(self) -> dict[str, Any]:
        addresses = {
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        userinfo = {"userinfo_endpoint": f"{ISSUER}/userinfo"} if self.userinfo is not None else {}
        return {"issuer": ISSUER, **addresses, **userinfo, **self.discovered}

    def _tokens(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        known = (
            form["code"] == CODE
            and challenge.decode() == self._sent["code_challenge"]
            and form["redirect_uri"] == self._sent["redirect_uri"]
        )
        if not known or not self._knows(request, form):
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"id_token": self._id_token(), "access_token": "an access token"})

    def _knows(self, request: httpx.Request, form: Mapping[str, str]) -> bool:
        basic = base64.b64encode(b"ruid-hub:the%20client%27s%20secret%3A%20100%20%25").decode()
        posted = self.discovered.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]
        return (
            (form.get("client_secret") == SECRET)
            if posted
            else request.headers.get("authorization") == f"Basic {basic}"
        )

    def _id_token(self) -> str:
        # The library that checks tokens has a clock of its own.
        now_s = time.time()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": CLIENT,
            "exp": now_s + 300,
            "iat": now_s,
            "nonce": self._sent["nonce"],
        }
        claims |= {**self.user, **self.wrong}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(
            claims, self.key if self.sign_with is None else self.sign_with, self.algorithm, headers={"kid": self.key_id}
        )  # pyright: ignore
