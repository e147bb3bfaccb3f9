"""Strangers: how many may wait, how often they may ask, and what is remembered of them (all of it in memory)."""

import asyncio
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from ruid_core.wire.adoption import Adopted, AdoptionRequest, NotAdopted
from ruid_hub.nodes.errors import NoSuchRequest, NotAdmitted

WAITING = 64
WAITING_PER_ADDRESS = 16
ASKS_PER_S = 5.0
ASKS_AT_ONCE = 50
ADDRESSES = 1024
FORGOTTEN_AFTER_S = 90.0


@dataclass(slots=True)
class Asking:
    """One device that asks; lives a while longer than its connection."""

    request: AdoptionRequest
    key_fingerprint: str
    code: str
    address: str
    asked_at_s: float
    heard_at_s: float
    connections: int = 0
    answer: "asyncio.Future[Adopted | NotAdopted]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(slots=True)
class _Allowance:
    asks: float
    at_s: float


class WaitingRoom:
    """Bounded whatever comes: a full room turns newcomers away, it pushes nobody out who holds the line."""

    def __init__(self) -> None:
        self._asking: OrderedDict[str, Asking] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()

    def allow(self, address: str, *, now_s: float) -> None:
        """Count one ask of this address; raise `NotAdmitted` where it asks too often."""
        allowance = self._allowances.pop(address, _Allowance(ASKS_AT_ONCE, now_s))
        gained = max(0.0, now_s - allowance.at_s) * ASKS_PER_S
        self._allowances[address] = renewed = _Allowance(min(ASKS_AT_ONCE, allowance.asks + gained), now_s)
        while len(self._allowances) > ADDRESSES:
            self._allowances.popitem(last=False)
        if renewed.asks < 1:
            raise NotAdmitted("asks_too_often", "too many requests from this address: ask again in a minute")
        renewed.asks -= 1

    def give_back(self, address: str) -> None:
        """An ask that proved to be welcome does not count."""
        if address in self._allowances:
            self._allowances[address].asks += 1

    def enter(self, asking: Asking, *, now_s: float) -> Asking:
        """Let somebody wait (again); raise `NotAdmitted` where there is no room."""
        self._clear(now_s)
        former = self._asking.pop(asking.key_fingerprint, None)
        if former is not None:
            former.request, former.heard_at_s = asking.request, now_s
            asking = former
        elif len(self._asking) >= WAITING or self._from(asking.address) >= WAITING_PER_ADDRESS:
            raise NotAdmitted("too_many_waiting", "too many devices wait to be approved: approve or reject some")
        self._asking[asking.key_fingerprint] = asking
        return asking

    def waiting(self, *, now_s: float) -> tuple[Asking, ...]:
        """Everybody who waits, the longest first."""
        self._clear(now_s)
        return tuple(self._asking.values())

    def find(self, code: str, *, now_s: float) -> Asking:
        """Who waits with this code, however it was typed; raise `NoSuchRequest`."""
        wanted = _plain(code)
        for asking in self.waiting(now_s=now_s):
            if wanted == _plain(asking.code):
                return asking
        raise NoSuchRequest(code)

    def leave(self, asking: Asking) -> None:
        """Forget somebody who has an answer, and what the same key asked before."""
        self._asking.pop(asking.key_fingerprint, None)

    def _from(self, address: str) -> int:
        return Counter(asking.address for asking in self._asking.values())[address]

    def _clear(self, now_s: float) -> None:
        gone = [
            key
            for key, asking in self._asking.items()
            if not asking.connections and now_s - asking.heard_at_s > FORGOTTEN_AFTER_S
        ]
        for key in gone:
            del self._asking[key]


def _plain(code: str) -> str:
    return code.replace("-", "").replace(" ", "").upper()
