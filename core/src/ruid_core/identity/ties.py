"""What operators said, as it bears on a consolidation: who comes as one, and who never becomes one."""

import numpy as np

from ruid_core.identity.arrays import Flags, Ints, group_sums
from ruid_core.identity.gallery import Gallery
from ruid_core.identity.regrouping import Nodes
from ruid_core.identity.statements import Names


def tie(gallery: Gallery, nodes: Nodes, apart: Flags) -> Ints:
    """Mark in `apart` (N, N) whom operators keep apart; returns (N,) which nodes come as one."""
    places = {identity: len(nodes.tracks) + place for place, identity in enumerate(nodes.archives.tolist())}
    owners = np.arange(len(nodes.weights))
    for _, statement in gallery.statements:
        left, right = (_places(gallery, nodes, places, names) for names in (statement.left, statement.right))
        if statement.together and len(left):
            owners[np.isin(owners, owners[left])] = owners[left[0]]
        apart[np.ix_(left, right)] = apart[np.ix_(right, left)] = True
    _keep_labels_apart(gallery, nodes, apart)
    return np.unique(owners, return_inverse=True)[1].astype(np.int64)


def _places(gallery: Gallery, nodes: Nodes, archives: dict[int, int], names: Names) -> Ints:
    """Which nodes (M,) hold these tracks; archives that are not thought over hold none."""
    live = [row for name in names if (row := gallery.tracks.rows.get(name)) is not None]
    folded = [archives.get(gallery.folded[name].identity, -1) for name in names if name in gallery.folded]
    found = np.concatenate([np.searchsorted(nodes.tracks, live), np.array(folded, np.int64)]).astype(np.int64)
    return np.unique(found[found >= 0])


def _keep_labels_apart(gallery: Gallery, nodes: Nodes, apart: Flags) -> None:
    """People with different names are never joined by themselves: the most typical node of each stands for it."""
    anchors: list[int] = []
    labels: list[str] = []
    for identity, label in gallery.labels.items():
        own = np.flatnonzero(nodes.identities == identity)
        if len(own):
            typical = nodes.vectors[own] @ gallery.identities.sums[identity] * nodes.weights[own]
            anchors.append(int(own[typical.argmax()]))
            labels.append(label)
    different = np.array(labels)[:, None] != np.array(labels)[None]
    apart[np.ix_(anchors, anchors)] |= different


def joined(nodes: Nodes, owners: Ints, apart: Flags) -> tuple[Nodes, Flags]:
    """The nodes and their conflicts, with those of one owner made one."""
    count = int(owners.max()) + 1
    if count == len(owners):
        return nodes, apart
    weights = np.bincount(owners, nodes.weights).astype(np.float64)
    sums = group_sums(nodes.vectors * nodes.weights[:, None].astype(np.float32), owners, count)
    firsts = np.unique(owners, return_index=True)[1]
    clash = np.zeros((count, count), np.bool_)
    one, other = np.nonzero(apart)
    clash[owners[one], owners[other]] = True
    np.fill_diagonal(clash, val=False)
    vectors = sums / weights[:, None].astype(np.float32)
    return Nodes(nodes.tracks, nodes.archives, vectors, weights, nodes.identities[firsts]), clash
