"""Writes down every look at a person and every change, and forgets it in time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ruid_hub.access.values import Caller
from ruid_hub.store import Store
from ruid_hub.store import access as rows

KEPT_ENTRIES = 200_000
KEPT_S = 400 * 86_400.0
SAME_LOOK_S = 60.0
"""A page that is open and refreshes itself is one look, not a hundred."""
LOOKS = 2048
TEXT = 500


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`actor` did `action` to `subject` at `at_s`; `way` says how they were known (session, token, proxy, open)."""

    entry_id: int
    at_s: float
    actor: str
    way: str
    action: str
    subject: str
    detail: Mapping[str, Any]


class Audit:
    """One per hub. `record` writes to the disk: call it from a thread, not from the event loop.

    Actions are `kind.verb`: `person.look`, `person.rename`, `camera.rules`, `user.add`, `session.begin`, … The
    subject is an id. Names of people who were seen belong in neither subject nor detail, for the audit outlives an
    erasure.
    """

    def __init__(self, *, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._looks: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def record(
        self, caller: Caller | None, action: str, subject: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write an entry; None is the hub itself. Looks (`….look`) are written once a minute each."""
        actor, way = (caller.name, caller.way.value) if caller else ("hub", "hub")
        at_s = self._clock()
        if action.endswith(".look") and self._looked_lately((actor, action, subject), at_s):
            return
        with self._store.writing() as connection:
            rows.record(
                connection,
                at_s=at_s,
                actor=actor[:TEXT],
                way=way,
                action=action,
                subject=subject[:TEXT],
                detail=detail or {},
            )

    def entries(
        self,
        limit: int = 50,
        *,
        before: int | None = None,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
    ) -> list[AuditEntry]:
        """The newest first, before the entry_id `before`; `action` and `subject` may be beginnings."""
        with self._store.reading() as connection:
            found = rows.audit_entries(
                connection, limit=limit, before=before, actor=actor, action=action, subject=subject
            )
        return [AuditEntry(e.entry_id, e.at_s, e.actor, e.way, e.action, e.subject, e.detail) for e in found]

    def sweep(self) -> None:
        """Forget what is too old or too much."""
        with self._store.writing() as connection:
            rows.forget_audit(connection, before_s=self._clock() - KEPT_S, keep=KEPT_ENTRIES)

    def _looked_lately(self, look: tuple[str, str, str], at_s: float) -> bool:
        with self._lock:
            last_s = self._looks.get(look)
            if last_s is not None and 0 <= at_s - last_s < SAME_LOOK_S:
                return True
            self._looks[look] = at_s
            self._looks.move_to_end(look)
            if len(self._looks) > LOOKS:
                self._looks.popitem(last=False)
        return False
