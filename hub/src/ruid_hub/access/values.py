"""Roles, permits, reach, and the accounts that have them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(IntEnum):
    """What somebody may do; each may do what those before it may."""

    VIEWER = 1
    """Look: the live picture, people, counts."""
    OPERATOR = 2
    """Correct: name, merge, split, erase people; draw zones and lines; adjust counts."""
    ADMIN = 3
    """Look after the hub: users, tokens, nodes, settings, audit, backup."""

    @property
    def word(self) -> str:
        """As forms, the API and the database spell it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """The role of a word; raises ValueError where there is none."""
        for role in cls:
            if role.word == word:
                return role
        raise ValueError(word)


class Permit(StrEnum):
    """What an API token may be used for, within its owner's role."""

    SITE_READ = "site:read"
    """The live picture without people, cameras, counts."""
    PEOPLE_READ = "people:read"
    """Who was seen: people, sightings, thumbnails, the stream of identities."""
    PEOPLE_WRITE = "people:write"
    """Name, merge, split, erase."""
    SITE_WRITE = "site:write"
    """Zones, lines, adjustments, camera settings."""
    METRICS = "metrics:read"
    """/metrics."""
    ADMIN = "admin"
    """Users, tokens, nodes, settings, audit, backup."""


class Way(StrEnum):
    """How a caller is known."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a word
    PROXY = "proxy"
    """A trusted reverse proxy said who it is."""
    OPEN = "open"
    """The demo on this very machine, where everybody is an admin."""
    DEMONSTRATION = "demonstration"
    """A visitor of a hub that plays bundled clips and has no owner yet."""


SITE = "site:"
"""What a site's id follows in a reach; no node is called so."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which cameras an account may see: every one, or those named.

    `places` holds cameras (`node_id/camera_id`), whole nodes (`node_id`) and whole sites (`site:site_id`); None means
    everything. A caller's reach names the cameras of its sites too, so that nothing else has to know about sites.
    """

    places: frozenset[str] | None = None

    @classmethod
    def of(cls, places: Iterable[str] | None) -> "Reach":
        """None is everything; an empty list is nothing."""
        return cls(None if places is None else frozenset(places))

    @property
    def sites(self) -> frozenset[str]:
        """The ids of the sites that it names."""
        named = self.places or frozenset[str]()
        return frozenset(place.removeprefix(SITE) for place in named if place.startswith(SITE))

    def also(self, cameras: Iterable[str]) -> "Reach":
        """The same with these cameras."""
        return self if self.places is None else Reach(self.places.union(cameras))

    @property
    def everywhere(self) -> bool:
        """True where nothing is hidden."""
        return self.places is None

    def covers(self, camera: str) -> bool:
        """Whether a camera (`node_id/camera_id`) may be seen."""
        return self.places is None or camera in self.places or camera.rpartition("/")[0] in self.places

    def covers_any(self, cameras: Iterable[str]) -> bool:
        """Whether any of them may be seen."""
        return self.places is None or any(self.covers(camera) for camera in cameras)

    def covers_node(self, node_id: str) -> bool:
        """Whether all of a node may be seen."""
        return self.places is None or node_id in self.places


EVERYWHERE = Reach()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    `permits` is None for people, who may do whatever their role may; `key` is the session's or token's, 0 elsewhere.
    """

    name: str
    role: Role
    reach: Reach
    way: Way
    user_key: int = 0
    key: int = 0
    permits: frozenset[Permit] | None = None

    def may(self, role: Role, permit: Permit | None = None) -> bool:
        """Whether the role suffices, and for a token the permit: without one a token may do nothing."""
        if self.role < role:
            return False
        return self.permits is None or permit in self.permits


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in; without a password only through a trusted proxy or an identity provider.

    `vouched`: an identity provider knows them, and says at each sign-in what they may do.
    """

    user_key: int
    name: str
    role: Role
    reach: Reach
    has_password: bool
    created_at_s: float
    signed_in_at_s: float | None
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in."""

    session_key: int
    user_key: int
    created_at_s: float
    seen_at_s: float
    address: str
    browser: str


@dataclass(frozen=True, slots=True)
class Token:
    """A program's key, without the secret; `owner` is the user it belongs to, who it can never outdo."""

    token_key: int
    user_key: int
    owner: str
    name: str
    permits: frozenset[Permit]
    created_at_s: float
    expires_at_s: float | None
    used_at_s: float | None
