"""Where the hub tells other systems about the site."""

import asyncio
from dataclasses import dataclass

from litestar import Controller, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from ruid_hub.access import Audit, Caller, Permit, Role
from ruid_hub.api.given import Given
from ruid_hub.api.guards import everywhere, requires
from ruid_hub.integrations.bridge import Integrations, Tried
from ruid_hub.integrations.choices import Service
from ruid_hub.integrations.keeping import ServiceShown

ADMIN = [requires(Role.ADMIN, Permit.ADMIN)]
Others = Given[Integrations | None]


@dataclass(frozen=True, slots=True)
class IntegrationShown:
    """`fields` as they are set; of a secret, `kept` says that there is one. `locked`: variables set it."""

    service: Service
    on: bool
    locked: bool
    fields: dict[str, str]
    kept: dict[str, str]

    @classmethod
    def of(cls, service: ServiceShown) -> "IntegrationShown":
        """Without any secret."""
        return cls(
            service.service,
            service.on,
            service.locked,
            {shown.field.name: shown.text for shown in service.fields if not shown.field.secret},
            {shown.field.name: shown.kept for shown in service.fields if shown.kept},
        )


class IntegrationsController(Controller):
    """For admins who see every camera."""

    path = "/api/v1/integrations"
    tags = ("integrations",)

    @get(guards=ADMIN)
    async def integrations(self, integrations: Others, caller: Given[Caller]) -> list[IntegrationShown]:
        """Every service that there is, on or off."""
        everywhere(caller)
        return [IntegrationShown.of(service) for service in await _there(integrations).services()]

    @put("/{service:str}", guards=ADMIN)
    async def save(
        self,
        service: FromPath[str],
        data: JSONBody[dict[str, str | None]],
        integrations: Others,
        caller: Given[Caller],
        audit: Given[Audit],
    ) -> IntegrationShown:
        """Set a service, at once; a secret that is left out stays, null forgets it."""
        asked = service_of(service)
        changed = await _there(integrations).save(asked, data, actor=caller.name)
        await asyncio.to_thread(audit.record, caller, "integration.save", asked.value, {"fields": list(changed)})
        shown = await _there(integrations).services()
        return next(IntegrationShown.of(one) for one in shown if one.service is asked)

    @delete("/{service:str}", guards=ADMIN)
    async def remove(
        self, service: FromPath[str], integrations: Others, caller: Given[Caller], audit: Given[Audit]
    ) -> None:
        """Switch a service off and forget what was kept of it."""
        asked = service_of(service)
        if await _there(integrations).remove(asked):
            await asyncio.to_thread(audit.record, caller, "integration.remove", asked.value)

    @post("/{service:str}/test", guards=ADMIN, status_code=200)
    async def try_out(
        self, service: FromPath[str], integrations: Others, caller: Given[Caller], audit: Given[Audit]
    ) -> Tried:
        """Send a test by what is set, and say what became of it."""
        asked = service_of(service)
        tried = await _there(integrations).try_out(asked)
        await asyncio.to_thread(audit.record, caller, "integration.test", asked.value, {"arrived": tried.arrived})
        return tried


def service_of(word: str) -> Service:
    """Raises NotFoundException where there is no such service."""
    try:
        return Service(word)
    except ValueError as error:
        raise NotFoundException("There is no such integration.") from error


def _there(integrations: Integrations | None) -> Integrations:
    if integrations is None:
        raise NotFoundException("This hub tells no other systems.")
    return integrations
