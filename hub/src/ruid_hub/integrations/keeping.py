"""What was set about integrations: by variables, which win, or in the browser, which is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ruid_hub.integrations.choices import (
    FIELDS,
    FieldShown,
    IntegrationSettings,
    Service,
    SetByVariables,
    Values,
    checked,
    composed,
    shown,
)
from ruid_hub.integrations.sealing import Sealer
from ruid_hub.store import Store
from ruid_hub.store.integrations import IntegrationRow, all_integrations, remove_integration, write_integration


@dataclass(frozen=True, slots=True)
class ServiceShown:
    """A service as a page may show it; `locked` where variables set it."""

    service: Service
    fields: tuple[FieldShown, ...]
    on: bool
    locked: bool


class Choices:
    """One per hub. Reads and writes the disk: call it from a thread.

    `variables` holds the services of which any variable is set: nothing of such a service is taken from the browser, so
    that a secret of one never goes to an address of the other.
    """

    def __init__(
        self,
        *,
        store: Store,
        sealer: Sealer,
        base: IntegrationSettings,
        variables: Mapping[Service, Values],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._base = base
        self._variables = variables
        self._clock = clock

    def settings(self) -> IntegrationSettings:
        """What holds now."""
        return composed(self._base, self._chosen())

    def services(self) -> tuple[ServiceShown, ...]:
        """Every service with what may be told of it."""
        chosen = self._chosen()
        return tuple(
            ServiceShown(
                service, shown(service, chosen.get(service, {})), service in chosen, service in self._variables
            )
            for service in Service
        )

    def save(self, service: Service, given: Mapping[str, str | None], *, actor: str) -> tuple[str, ...]:
        """Keep what was given; returns the names of the fields that changed. Raises BadFields or SetByVariables."""
        self._must_be_free(service)
        kept = self._chosen().get(service, {})
        wanted = checked(service, given, kept)
        secret = {field.name for field in FIELDS[service] if field.secret}
        row = IntegrationRow(
            name=service.value,
            plain={name: text for name, text in wanted.items() if name not in secret},
            sealed=self._sealer.seal({name: text for name, text in wanted.items() if name in secret}),
            changed_at_s=self._clock(),
            changed_by=actor,
        )
        with self._store.writing() as connection:
            write_integration(connection, row)
        return tuple(sorted(name for name in {*kept, *wanted} if kept.get(name) != wanted.get(name)))

    def remove(self, service: Service) -> bool:
        """Switch a service off and forget what was kept of it; False where nothing was. Raises SetByVariables."""
        self._must_be_free(service)
        with self._store.writing() as connection:
            return remove_integration(connection, service.value)

    def _must_be_free(self, service: Service) -> None:
        if service in self._variables:
            raise SetByVariables(service)

    def _chosen(self) -> dict[Service, Values]:
        with self._store.reading() as connection:
            rows = all_integrations(connection)
        known = {service.value: service for service in Service}
        kept = {known[row.name]: {**row.plain, **self._sealer.unseal(row.sealed)} for row in rows if row.name in known}
        return {**kept, **self._variables}
