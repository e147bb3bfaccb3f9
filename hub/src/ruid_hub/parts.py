"""What the hub is made of, as the routes see it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ruid_hub.access import Access, Audit, OpenId
from ruid_hub.counting import Counting
from ruid_hub.hand import OperatorHand
from ruid_hub.identities import DriftAlarm
from ruid_hub.integrations.bridge import Integrations
from ruid_hub.integrations.metrics import HubMetrics
from ruid_hub.live.notifier import ChangeNotifier
from ruid_hub.nodes import NodeRegister
from ruid_hub.site import Site
from ruid_hub.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class HubParts:
    """Every field is a dependency of its own name: a route asks with `store: Given[Store]`.

    `not_ready` gives the reasons why the hub cannot do its work, none when it can. What a test does not need may be
    left out.
    """

    site: Site
    store: Store
    access: Access
    audit: Audit
    notifier: ChangeNotifier
    metrics: HubMetrics
    clock: Callable[[], float]
    not_ready: Callable[[], tuple[str, ...]] = tuple
    hand: OperatorHand | None = None
    counting: Counting | None = None
    integrations: Integrations | None = None
    nodes: NodeRegister | None = None
    authority_pem: bytes = b""
    """The certificate of the hub's own authority, for browsers to import."""
    drifts: Callable[[], Iterable[DriftAlarm]] = tuple
    """The last change of each camera's appearance and rate of looks."""
    openid: OpenId | None = None
    """The identity provider that people may sign in with; None where there is none."""
    backup: Callable[[bool], Path] | None = None
    """Makes the backup of the whole hub, with embeddings and pictures or without; whoever asks removes the file."""
