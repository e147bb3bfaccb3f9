"""Who belongs to whom, by name: what a correction asks of the gallery and does to it."""

from collections.abc import Iterable

import numpy as np
from msgspec.structs import astuple, replace

from ruid_core.identity.arrays import F32, F64
from ruid_core.identity.errors import UnknownIdentity
from ruid_core.identity.gallery import NOBODY, Gallery
from ruid_core.identity.statements import Names
from ruid_core.identity.values import Revision


def identity_row(gallery: Gallery, identity_id: str) -> int:
    """The row of an identity; raises `UnknownIdentity`."""
    row = gallery.identities.rows.get(identity_id)
    if row is None:
        raise UnknownIdentity(identity_id)
    return row


def members(gallery: Gallery, identity: int) -> Names:
    """The names of all tracks of an identity that are remembered by name."""
    rows = np.flatnonzero(gallery.tracks.identities[: len(gallery.tracks.names)] == identity)
    live = {gallery.tracks.names[row] for row in rows.tolist()}
    return frozenset(live | {track for track, folded in gallery.folded.items() if folded.identity == identity})


def give(gallery: Gallery, tracks: Iterable[str], identity_id: str) -> tuple[Revision, ...]:
    """The tracks belong to an identity, which is made if need be; returns who moved.

    Of an archive that is taken apart a fair share moves: one vector cannot tell whose part of it was whose.
    """
    new = gallery.identities.rows.get(identity_id)
    if new is None:
        new = gallery.identities.add(identity_id)
    moved = {track: gallery.identity_row(track) for track in sorted(tracks)}
    moved = {track: old for track, old in moved.items() if old != new}
    names = gallery.identities.names
    revisions = tuple(Revision(track, names[old], identity_id) for track, old in moved.items())
    for track in moved:
        if track in gallery.tracks.rows:
            gallery.move(gallery.tracks.rows[track], new)
    for old in sorted(set(moved.values())):
        _move_folded(gallery, [track for track in moved if track in gallery.folded and moved[track] == old], old, new)
    gallery.drop_empty([*dict.fromkeys(moved.values())])
    return revisions


def unfold(gallery: Gallery, track: str) -> int:
    """A folded track is seen again: it is a track of its own once more, from when it was first seen; its row."""
    folded = gallery.folded.pop(track)
    row = gallery.tracks.add(track, folded.camera, folded.started_s)
    gallery.tracks.at_s[row] = folded.until_s
    _take_share(gallery, folded.identity, 1)
    gallery.move(row, folded.identity)
    _settle_spans(gallery, folded.identity)
    return row


def _move_folded(gallery: Gallery, tracks: list[str], old: int, new: int) -> None:
    if not tracks:
        return
    identities = gallery.identities
    gallery.lay_archive(new, *_take_share(gallery, old, len(tracks)), len(tracks))
    for track in tracks:
        gallery.folded[track] = replace(gallery.folded[track], identity=new)
    identities.seen_s[new] = max(identities.seen_s[new], *(gallery.folded[track].until_s for track in tracks))
    _settle_spans(gallery, old)
    _settle_spans(gallery, new)


def _take_share(gallery: Gallery, identity: int, tracks: int) -> tuple[F32, F32]:
    """Take the share of so many tracks out of an archive: centred (D,) and projected (D,)."""
    identities = gallery.identities
    share = np.float32(tracks / float(identities.archive_counts[identity]))
    centred, vector = identities.archives[identity] * share, identities.archive_sums[identity] * share
    gallery.lay_archive(identity, -centred, -vector, -tracks)
    return centred, vector


def _settle_spans(gallery: Gallery, identity: int) -> None:
    """Say anew when an archive was in view: exactly, but for tracks whose names are forgotten."""
    folded = [one for one in gallery.folded.values() if one.identity == identity]
    if gallery.identities.archive_counts[identity] == len(folded):
        gallery.spans.drop(identity)
    for one in folded:
        gallery.spans.add(one.camera, identity, one.started_s, one.until_s)


def forget(gallery: Gallery, identity: int) -> Names:
    """Forget a person: tracks, archive and name; returns the tracks."""
    gone = members(gallery, identity)
    for track in sorted(gone):
        gallery.forget_track(track)
    gallery.statements.forget(gone)
    gallery.drop_identity(identity)
    return gone


def seen_together(gallery: Gallery, some: Names, others: Names) -> tuple[str, str] | None:
    """Two tracks, one of `some` and one of `others`, that one camera saw at one time; None if there are none."""
    names, times = _times(gallery, some)
    other_names, other_times = _times(gallery, others)
    for index, (camera, started_s, until_s) in enumerate(times.tolist()):
        clash = (other_times[:, 0] == camera) & (other_times[:, 1] <= until_s) & (other_times[:, 2] >= started_s)
        if clash.any():
            return names[index], other_names[int(clash.argmax())]
    return None


def _times(gallery: Gallery, tracks: Names) -> tuple[list[str], F64]:
    """The tracks' names in order, and (N, 3) camera, start and end of each."""
    names, rows = sorted(tracks), gallery.tracks
    times = [
        (rows.cameras[row], rows.started_s[row], rows.at_s[row])
        if (row := rows.rows.get(name)) is not None
        else astuple(gallery.folded[name])[1:]
        for name in names
    ]
    return names, np.array(times, np.float64).reshape(-1, 3)


def foe_rows(gallery: Gallery, track: str) -> list[int]:
    """Rows of the identities that operators keep the track from."""
    foes = gallery.statements.foes(track)
    if not foes:
        return []
    rows = [gallery.tracks.rows.get(foe) for foe in foes]
    live = {int(gallery.tracks.identities[row]) for row in rows if row is not None} - {NOBODY}
    folded = {gallery.folded[foe].identity for foe in foes if foe in gallery.folded}
    return sorted(live | folded)


def beside_folded(gallery: Gallery, row: int) -> bool:
    """Whether a track was in view beside a folded one of its identity."""
    tracks = gallery.tracks
    identity, camera = int(tracks.identities[row]), int(tracks.cameras[row])
    started_s, until_s = float(tracks.started_s[row]), float(tracks.at_s[row])
    if identity not in gallery.spans.overlapped(camera, started_s, until_s):
        return False
    own = (one for one in gallery.folded.values() if one.identity == identity and one.camera == camera)
    return any(one.started_s <= until_s and started_s <= one.until_s for one in own)
