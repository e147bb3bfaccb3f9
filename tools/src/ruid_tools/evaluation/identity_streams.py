"""Identity streams: files of embeddings in order of time with the truth, read and made.

Arrays: `t` (N,) float64 seconds ascending, `camera` and `track` (N,) integers (a track number is unique per
camera), `embedding` (N, D) float32 with unit rows, `identity` (N,) the truth; if present `quality` (N,) in 0..1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ruid_core.identity import Evidence
from ruid_tools.errors import ToolError
from ruid_tools.evaluation.reid import embed_images
from ruid_tools.evaluation.reid_layout import GALLERY, QUERY, TRAIN, LabelledImage, find_reid_root, read_reid_split
from ruid_tools.evaluation.reid_networks import open_reid_network

Ints = NDArray[np.int64]

ARRAYS = ("t", "camera", "track", "embedding", "identity")
CROP_GAP_S = 0.5
LONGEST_TRACK = 5
TRACK_GAP_S = (5.0, 120.0)
SPAN_S = 3600.0


class StreamError(ToolError):
    """The file is not an identity stream."""


@dataclass(frozen=True, slots=True, eq=False)
class IdentityStream:
    """A stream in order of time; N observations of D values."""

    name: str
    t_s: NDArray[np.float64]
    cameras: Ints
    tracks: Ints
    embeddings: NDArray[np.float32]
    identities: Ints
    qualities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.t_s)

    def track_names(self) -> list[str]:
        """The name (N,) of every observation's track, unique across cameras."""
        return [f"{camera}/{track}" for camera, track in zip(self.cameras, self.tracks, strict=True)]

    def evidence(self) -> Iterator[Evidence]:
        """Every observation as one part of its track."""
        parts: dict[str, int] = {}
        for index, track in enumerate(self.track_names()):
            part = parts.get(track, 0)
            parts[track] = part + 1
            at_s = float(self.t_s[index])
            yield Evidence(
                str(self.cameras[index]), track, part, at_s, at_s,
                self.embeddings[index : index + 1], self.qualities[index : index + 1], self.name,
            )  # fmt: skip


def load_stream(path: Path) -> IdentityStream:
    """Read a stream; raises `StreamError` where an array is missing, or does not fit the others."""
    if not path.is_file():
        raise StreamError(f"there is no stream {path}")
    with np.load(path, allow_pickle=False) as arrays:
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise StreamError(f"{path} is no identity stream: it lacks {', '.join(missing)}")
        count = len(arrays["t"])
        ragged = [name for name in ARRAYS if len(arrays[name]) != count]
        if ragged or not count:
            raise StreamError(f"{path} is no identity stream: {', '.join(ragged) or 'it'} has the wrong length")
        qualities = arrays["quality"] if "quality" in arrays else np.ones(count)
        return IdentityStream(
            path.stem,
            arrays["t"].astype(np.float64),
            arrays["camera"].astype(np.int64),
            arrays["track"].astype(np.int64),
            arrays["embedding"].astype(np.float32),
            arrays["identity"].astype(np.int64),
            qualities.astype(np.float32),
        )


def save_stream(stream: IdentityStream, path: Path) -> None:
    """Write a stream for `load_stream`."""
    np.savez_compressed(
        path, t=stream.t_s, camera=stream.cameras, track=stream.tracks, embedding=stream.embeddings,
        identity=stream.identities, quality=stream.qualities,
    )  # fmt: skip


def make_stream(reid: Path, *, model: Path, name: str, seed: int = 0) -> IdentityStream:
    """Embed a set in Market-1501 layout and let its people walk past its cameras.

    A person starts at a random time within an hour and visits that person's cameras in random order; the crops
    of one camera become tracks of 1 to 5 crops, half a second apart, with 5 to 120 s between tracks. Query and
    gallery are used where the set has them, else its training part.
    """
    images = _images(reid)
    embedded = embed_images(open_reid_network(model), images)
    cameras = np.array([10 * image.sequence + image.camera for image in images], np.int64)
    if len({image.sequence for image in images}) < 2:
        cameras = embedded.cameras.astype(np.int64)
    return arrange(embedded.embeddings, embedded.identities.astype(np.int64), cameras, name=name, seed=seed)


def arrange(
    embeddings: NDArray[np.float32], identities: Ints, cameras: Ints, *, name: str, seed: int
) -> IdentityStream:
    """Give every crop a time and a track, seeded; see `make_stream`."""
    generator = np.random.default_rng(seed)
    rows: list[int] = []
    times_s: list[float] = []
    tracks: list[int] = []
    for identity in np.unique(identities):
        own = np.flatnonzero(identities == identity)
        at_s = float(generator.uniform(0.0, SPAN_S))
        for camera in generator.permutation(np.unique(cameras[own])):
            crops = generator.permutation(own[cameras[own] == camera])
            while len(crops):
                length = int(generator.integers(1, LONGEST_TRACK + 1))
                taken, crops = crops[:length], crops[length:]
                number = tracks[-1] + 1 if tracks else 1
                rows.extend(taken.tolist())
                tracks.extend([number] * len(taken))
                times_s.extend(at_s + CROP_GAP_S * step for step in range(len(taken)))
                at_s += CROP_GAP_S * len(taken) + float(generator.uniform(*TRACK_GAP_S))
    order = np.argsort(times_s, kind="stable")
    picked = np.array(rows, np.int64)[order]
    return IdentityStream(
        name, np.array(times_s)[order], cameras[picked], np.array(tracks, np.int64)[order],
        embeddings[picked].astype(np.float32), identities[picked], np.ones(len(picked), np.float32),
    )  # fmt: skip


def _images(reid: Path) -> tuple[LabelledImage, ...]:
    root = find_reid_root(reid)
    splits = [split for split in (QUERY, GALLERY) if (root / split).is_dir()] or [TRAIN]
    images = [image for split in splits for image in read_reid_split(root, split) if image.identity > 0]
    if not images:
        raise StreamError(f"{reid} holds no labelled pictures")
    return tuple(images)
