"""A synthetic world: people who walk from camera to camera, with everything that makes telling them apart hard.

Pure: settings in, looks with the truth out; the same settings give the same world. Cameras form a ring with a few
short cuts, and each way between two of them takes its own time. Everybody has a face (a direction), some people
have a look-alike, every camera casts its own colour on everybody, and everybody looks a little different to each
camera. Crops may be bad, people may walk in front of one another, and trackers may lose and find them again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

LOOK_EVERY_S = 0.5
LOST_FOR_S = 1.5
SHORTEST_STAY_S = 1.5
MOST_LOOKS = 20
TRANSIT_S = (10.0, 90.0)
TRANSIT_SPREAD = 0.25


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How large the world is, and how hard; shares are of 1.

    `resemblance` is how much of its face a look-alike has from somebody else. `cast` is how strongly a camera
    colours everybody, `view` how differently one camera sees a person from the next, `grain` how much two crops of
    one track differ, all in lengths of a face. `clock_error_s` is how far each camera's clock may be off.
    """

    cameras: int = 6
    people: int = 200
    hours: float = 1.0
    seed: int = 0
    dim: int = 256
    look_alikes: float = 0.1
    resemblance: float = 0.6
    cast: float = 0.6
    view: float = 0.7
    grain: float = 0.5
    bad_crops: float = 0.05
    occlusions: float = 0.05
    lost_tracks: float = 0.1
    walks: float = 1.5
    stops: int = 4
    stay_s: float = 6.0
    clock_error_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody in view of a camera, from when to when on the world's own clock."""

    person: int
    camera: int
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One crop: who it truly is, on which track, at what time by the camera's clock, and what it looks like (D,)."""

    person: int
    camera: int
    track: int
    at_s: float
    embedding: F32
    quality: float
    last: bool


class World:
    """One world; `looks` may be asked for again and says the same."""

    def __init__(self, settings: WorldSettings) -> None:
        generator = np.random.default_rng(settings.seed)
        self.settings = settings
        self.faces = _faces(settings, generator)
        self.casts = _directions(generator, (settings.cameras, settings.dim))
        self.clock_errors_s = generator.uniform(-1.0, 1.0, settings.cameras) * settings.clock_error_s
        self.transits_s = _transits_s(settings.cameras, generator)
        self.stays = _stays(settings, self.transits_s, generator)

    def looks(self) -> Iterator[Look]:
        """Every crop in the order of the cameras' clocks."""
        return merge(*(self._of_camera(camera) for camera in range(self.settings.cameras)), key=lambda look: look.at_s)

    def _of_camera(self, camera: int) -> Iterator[Look]:
        generator = np.random.default_rng((self.settings.seed, camera))
        stays = [stay for stay in self.stays if stay.camera == camera]
        tracks = (
            look for number, stay in enumerate(stays) for look in self._of_stay(2 * number, stay, stays, generator)
        )
        return iter(sorted(tracks, key=lambda look: look.at_s))

    def _of_stay(self, track: int, stay: Stay, stays: list[Stay], generator: np.random.Generator) -> Iterator[Look]:
        """The crops of one stay, on one track or, where the tracker lost it, on two."""
        at_s = np.arange(stay.from_s, stay.to_s, LOOK_EVERY_S)[:MOST_LOOKS]
        lost = len(at_s) > 6 and generator.random() < self.settings.lost_tracks
        lost_s = float(at_s[len(at_s) // 2]) if lost else np.inf
        at_s = at_s[(at_s < lost_s) | (at_s > lost_s + LOST_FOR_S)]
        view = _directions(np.random.default_rng((self.settings.seed, stay.person, stay.camera)), (self.settings.dim,))
        beside = [other.person for other in stays if other.from_s < stay.to_s and stay.from_s < other.to_s]
        for index, when_s in enumerate(at_s.tolist()):
            again = when_s > lost_s
            embedding, quality = self._crop(stay, view, beside, generator)
            yield Look(
                stay.person, stay.camera, track + again, when_s + float(self.clock_errors_s[stay.camera]),
                embedding, quality, index == len(at_s) - 1,
            )  # fmt: skip

    def _crop(self, stay: Stay, view: F32, beside: list[int], generator: np.random.Generator) -> tuple[F32, float]:
        settings = self.settings
        face = self.faces[stay.person]
        quality, grain = float(generator.uniform(0.6, 1.0)), settings.grain
        if generator.random() < settings.occlusions:
            face, quality = face + self.faces[beside[int(generator.integers(len(beside)))]], quality * 0.5
        if generator.random() < settings.bad_crops:
            grain, quality = 3.0 * grain, 0.15
        noise = _directions(generator, (settings.dim,))
        row = face + settings.cast * self.casts[stay.camera] + settings.view * view + grain * noise
        return (row / np.linalg.norm(row)).astype(np.float32), quality


def _faces(settings: WorldSettings, generator: np.random.Generator) -> F32:
    """(P, D) unit rows; the first people of each pair of look-alikes lend the second some of theirs."""
    faces = _directions(generator, (settings.people, settings.dim))
    pairs = int(settings.look_alikes * settings.people / 2)
    second = slice(pairs, 2 * pairs)
    share = np.float32(settings.resemblance)
    faces[second] = share * faces[:pairs] + np.sqrt(1 - share**2) * faces[second]
    return (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)


def _transits_s(cameras: int, generator: np.random.Generator) -> dict[tuple[int, int], float]:
    """The usual time from camera to camera, both ways: a ring, and a short cut for every third camera."""
    ways = {(camera, (camera + 1) % cameras) for camera in range(cameras)}
    ways |= {(camera, (camera + cameras // 2) % cameras) for camera in range(0, cameras, 3)}
    transits_s: dict[tuple[int, int], float] = {}
    for one, other in sorted(ways):
        if one != other:
            transits_s[one, other] = transits_s[other, one] = float(generator.uniform(*TRANSIT_S))
    return transits_s


def _stays(
    settings: WorldSettings, transits_s: dict[tuple[int, int], float], generator: np.random.Generator
) -> tuple[Stay, ...]:
    """Walks at random over the cameras: everybody once, and on average `walks` times, in order of time.

    Nobody starts a walk before the last one is over.
    """
    stays: list[Stay] = []
    for person in range(settings.people):
        free_from_s = 0.0
        for start_s in sorted(
            generator.uniform(0.0, 3600.0 * settings.hours, 1 + generator.poisson(settings.walks - 1))
        ):
            walk = list(_walk(person, max(float(start_s), free_from_s), settings, transits_s, generator))
            free_from_s = walk[-1].to_s + TRANSIT_S[0]
            stays += walk
    return tuple(sorted(stays, key=lambda stay: stay.from_s))


def _walk(
    person: int,
    at_s: float,
    settings: WorldSettings,
    transits_s: dict[tuple[int, int], float],
    generator: np.random.Generator,
) -> Iterator[Stay]:
    camera = int(generator.integers(settings.cameras))
    for _ in range(1 + int(generator.integers(settings.stops))):
        to_s = at_s + SHORTEST_STAY_S + float(generator.exponential(settings.stay_s))
        yield Stay(person, camera, at_s, to_s)
        ways = [other for one, other in transits_s if one == camera] or [camera]
        following = ways[int(generator.integers(len(ways)))]
        usual_s = transits_s.get((camera, following), TRANSIT_S[1])
        at_s = to_s + usual_s * float(np.exp(generator.normal(0.0, TRANSIT_SPREAD)))
        camera = following


def _directions(generator: np.random.Generator, shape: tuple[int, ...]) -> F32:
    rows = generator.standard_normal(shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
