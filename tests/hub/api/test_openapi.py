"""Schemathesis asks every operation of the OpenAPI document for whatever fits it: the hub never fails."""

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar import Litestar
from litestar.testing import TestClient

from access_fakes import owner_of, token_of
from api_fakes import whole_hub
from ruid_hub.access import Permit
from ruid_hub.store import open_store

EXAMPLES = 5
ON_PURPOSE = {503, 507}
"""Not now, and no room."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A hub, what lets a program do everything, and what the hub says of itself."""

    client: TestClient[Litestar]
    headers: dict[str, str]
    document: dict[str, Any]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[Asked]:
    folder = tmp_path_factory.mktemp("hub")
    store = open_store(folder / "hub.db")
    app = asyncio.run(whole_hub(store, folder))
    with TestClient(app=app, raise_server_exceptions=False) as client:
        owner_of(app.state.access)
        headers = token_of(app.state.access, *Permit)
        yield Asked(client, headers, client.get("/api/v1/openapi.json", headers=headers).json())
    store.close()


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the test client, for a picture's bytes
def test_every_operation_answers_whatever_fits_its_description(hub: Asked):
    schema: Any = schemathesis.openapi.from_dict(hub.document)
    tried, failed = 0, set[str]()
    for found in schema.get_all_operations():
        operation = found.ok()
        if not operation.path.endswith("/events"):
            tried += 1
            ask(hub, operation, failed)
    assert tried > 45
    assert not failed


def ask(hub: Asked, operation: Any, failed: set[str]) -> None:
    """Ask one operation a few times and note what failed; a token needs no CSRF token."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy())
    def once(case: Any) -> None:
        arguments = case.as_transport_kwargs(base_url="http://testserver.local")
        arguments.pop("cookies", None)
        arguments["headers"] = {**dict(arguments.get("headers") or {}), **hub.headers}
        answer = hub.client.request(**arguments)
        if answer.status_code >= 500 and answer.status_code not in ON_PURPOSE:
            failed.add(f"{answer.status_code} {operation.label}")

    once()
