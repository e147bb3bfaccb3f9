"""Whom the hub has seen lately: one card an identity, made of the tracks that belong to it.

A card is what its tracks say, so a track that moves to another identity takes its times, place and picture
along, and a card that is left with nothing goes. Nothing here looks at a clock.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ruid_hub.observations import TrackKey

CARDS = 200
"""Identities with a card: the last seen."""
SIGHTINGS = 100
"""Tracks that a card remembers one by one; older ones only count in its times and places."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One track of a person: from when to when, and the database id of its newest picture."""

    track: TrackKey
    first_s: float
    last_s: float
    thumbnail_id: int | None = None

    def joined(self, other: "Sighting") -> "Sighting":
        """The same track with what another part of it adds."""
        newer, older = (other, self) if other.last_s >= self.last_s else (self, other)
        return Sighting(
            self.track,
            min(self.first_s, other.first_s),
            newer.last_s,
            older.thumbnail_id if newer.thumbnail_id is None else newer.thumbnail_id,
        )


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """An identity as it is known from elsewhere; `last_camera` and `cameras` are `node_id/camera_id`.

    `sightings` may be empty or stop short of the oldest; without them a later revision cannot take a track away.
    """

    identity_id: str
    label: str | None
    first_seen_s: float
    last_seen_s: float
    last_camera: str
    cameras: tuple[str, ...]
    thumbnail_id: int | None
    sightings: tuple[Sighting, ...] = ()


@dataclass(slots=True)
class _Card:
    """`known` is the summary; `settled` is the part of it whose tracks are no longer told apart."""

    known: KnownPerson
    settled: KnownPerson | None = None
    sightings: dict[TrackKey, Sighting] = field(default_factory=dict[TrackKey, Sighting])

    def summarise(self) -> None:
        """Bring `known` up to date with the tracks."""
        in_order = sorted(self.sightings.values(), key=lambda sighting: sighting.first_s)
        parts = [_as_known(self.known, sighting) for sighting in in_order]
        self.known = _summary(self.known, [self.settled, *parts] if self.settled else parts)

    def settle_oldest(self) -> TrackKey:
        """Keep one track less apart; its key."""
        oldest = min(self.sightings.values(), key=lambda sighting: sighting.last_s)
        part = _as_known(self.known, oldest)
        self.settled = _summary(self.known, [self.settled, part] if self.settled else [part])
        del self.sightings[oldest.track]
        return oldest.track


class Cards:
    """The cards of a site; bounded, the least recently seen leave first."""

    def __init__(self) -> None:
        self._cards: OrderedDict[str, _Card] = OrderedDict()
        self._owner: dict[TrackKey, str] = {}

    def __iter__(self) -> Iterator[KnownPerson]:
        return (card.known for card in self._cards.values())

    def seen_by(self, sees: Callable[[str], bool]) -> Iterator[KnownPerson]:
        """What is known of people from some cameras alone, as far as their tracks are remembered one by one."""
        for card in self._cards.values():
            tracks = [sighting for sighting in card.sightings.values() if sees(sighting.track.camera)]
            parts = [_as_known(card.known, sighting) for sighting in sorted(tracks, key=lambda seen: seen.first_s)]
            if parts:
                yield _summary(card.known, parts)

    def identity_of(self, track: TrackKey) -> str | None:
        """Whose track it is, as far as is remembered."""
        return self._owner.get(track)

    def add(self, identity_id: str, sighting: Sighting) -> None:
        """A track belongs to an identity; what is known of the track already is kept."""
        former_id = self._owner.get(sighting.track)
        known = self._take(sighting.track)
        self._give(identity_id, known.joined(sighting) if known is not None else sighting)
        self._drop_if_empty(former_id, heir_id=identity_id)

    def seen(self, track: TrackKey, at_s: float) -> None:
        """The person behind a track is still in view."""
        identity_id = self._owner.get(track)
        if identity_id is None:
            return
        card = self._cards[identity_id]
        card.sightings[track] = replace(card.sightings[track], last_s=at_s)
        card.known = replace(card.known, last_seen_s=max(card.known.last_seen_s, at_s), last_camera=track.camera)
        self._cards.move_to_end(identity_id)

    def move(self, track: TrackKey, identity_id: str) -> None:
        """A track belongs to somebody else than was thought; nothing happens where it is not remembered."""
        former_id = self._owner.get(track)
        sighting = self._take(track)
        if sighting is not None:
            self._give(identity_id, sighting)
            self._drop_if_empty(former_id, heir_id=identity_id)

    def remove(self, identity_id: str) -> None:
        """Drop an identity's card, if it has one."""
        card = self._cards.pop(identity_id, None)
        for track in card.sightings if card is not None else ():
            del self._owner[track]

    def remember(self, people: Iterable[KnownPerson]) -> None:
        """Make cards from what is known of people, in any order."""
        for known in sorted(people, key=lambda known: known.last_seen_s):
            self.remove(known.identity_id)
            complete = min((part.first_s for part in known.sightings), default=None) == known.first_seen_s
            self._cards[known.identity_id] = _Card(known, settled=None if complete else known)
            for sighting in known.sightings:
                self._take(sighting.track)
                self._give(known.identity_id, sighting)
        self._drop_oldest()

    def _take(self, track: TrackKey) -> Sighting | None:
        """Away from whoever has it; the card stays, even if it is empty now."""
        identity_id = self._owner.pop(track, None)
        if identity_id is None:
            return None
        card = self._cards[identity_id]
        sighting = card.sightings.pop(track)
        card.summarise()
        return sighting

    def _give(self, identity_id: str, sighting: Sighting) -> None:
        if identity_id not in self._cards:
            self._cards[identity_id] = _Card(_stranger(identity_id, sighting))
        card = self._cards[identity_id]
        card.sightings[sighting.track] = sighting
        self._owner[sighting.track] = identity_id
        if len(card.sightings) > SIGHTINGS:
            del self._owner[card.settle_oldest()]
        card.summarise()
        self._cards.move_to_end(identity_id)
        self._drop_oldest()

    def _drop_if_empty(self, identity_id: str | None, *, heir_id: str) -> None:
        """A card without tracks goes; the name that somebody gave it stays with the heir."""
        card = self._cards.get(identity_id or "")
        if card is None or card.sightings or card.settled is not None:
            return
        del self._cards[card.known.identity_id]
        heir = self._cards[heir_id]
        heir.known = replace(heir.known, label=heir.known.label or card.known.label)

    def _drop_oldest(self) -> None:
        while len(self._cards) > CARDS:
            self.remove(next(iter(self._cards)))


def _stranger(identity_id: str, sighting: Sighting) -> KnownPerson:
    camera = sighting.track.camera
    return KnownPerson(identity_id, None, sighting.first_s, sighting.last_s, camera, (camera,), sighting.thumbnail_id)


def _as_known(person: KnownPerson, sighting: Sighting) -> KnownPerson:
    return replace(_stranger(person.identity_id, sighting), label=person.label)


def _summary(person: KnownPerson, parts: list[KnownPerson]) -> KnownPerson:
    """One person from parts in the order of first sight; as before where there are none."""
    if not parts:
        return person
    by_last = sorted(parts, key=lambda part: part.last_seen_s)
    pictures = [part.thumbnail_id for part in by_last if part.thumbnail_id is not None]
    return replace(
        person,
        first_seen_s=min(part.first_seen_s for part in parts),
        last_seen_s=by_last[-1].last_seen_s,
        last_camera=by_last[-1].last_camera,
        cameras=tuple(dict.fromkeys(camera for part in parts for camera in part.cameras)),
        thumbnail_id=pictures[-1] if pictures else None,
        sightings=(),
    )
