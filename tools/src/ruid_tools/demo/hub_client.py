"""Asking a hub over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any


class HubSilent(Exception):
    """The hub did not answer."""


class HubClient:
    """Reads the hub's API; every call may raise `HubSilent`."""

    def __init__(self, *, port: int) -> None:
        self.url = f"http://localhost:{port}"

    def ready(self) -> bool:
        """Whether the hub takes in what nodes send."""
        try:
            return bool(self._get("/healthz")["ready"])
        except HubSilent:
            return False

    def site(self) -> dict[str, Any]:
        """Return the live picture."""
        return self._get("/api/v1/site")

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:  # noqa: S310 - our own hub
                return json.load(answer)
        except (OSError, urllib.error.URLError, ValueError) as error:
            raise HubSilent(str(error)) from error
