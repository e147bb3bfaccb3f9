"""What the node gives up when it is too hot or too busy, and when it takes it back: a pure policy.

Steps are taken one at a time, the one that costs least first; each must hold for a while before the next. A node is
strained when its processor is hot or throttled, or when it can work on fewer frames than it owes. It takes a step back
once it has been at ease for a while; where that strains it again at once, it waits twice as long the next time.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a camera's frames may cost.

    Embeddings are refreshed `embed_slower` times less often; `detect_every_s` is the least time between two looks of
    the detector (tracks are predicted in between); `smaller_input` shrinks the detector's input by a fifth.
    """

    embed_slower: float = 1.0
    smaller_input: bool = False
    detect_every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How the node does: `busy` is the share of the time in which it worked on frames (0..1), `keeps_up` whether it
    works on as many frames as it owes.
    """

    busy: float
    keeps_up: bool
    temperature_c: float | None = None
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """Between hot and cool nothing changes; patience doubles from the first to the longest."""

    hot_c: float = 80.0
    cool_c: float = 74.0
    at_ease_below: float = 0.6
    step_after_s: float = 4.0
    back_after_s: float = 20.0
    longest_back_after_s: float = 600.0
    relapse_within_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Strain:
    """Where the policy stands: how many steps are taken, and since when things are as they are."""

    level: int = 0
    changed_at_s: float = float("-inf")
    strained_since_s: float | None = None
    eased_since_s: float | None = None
    went_back: bool = False
    back_after_s: float = 0.0


_STEPS: tuple[tuple[str, Effort], ...] = (
    ("embeddings_halved", Effort(embed_slower=2.0)),
    ("detector_input_smaller", Effort(embed_slower=2.0, smaller_input=True)),
    ("detector_10_per_s", Effort(embed_slower=2.0, smaller_input=True, detect_every_s=0.1)),
    ("detector_5_per_s", Effort(embed_slower=2.0, smaller_input=True, detect_every_s=0.2)),
    ("detector_2_per_s", Effort(embed_slower=4.0, smaller_input=True, detect_every_s=0.5)),
)
STEP_NAMES = tuple(name for name, _ in _STEPS)
_DEFAULTS = AdaptationSettings()


def effort_of(strain: Strain) -> Effort:
    """Return how much work is allowed."""
    return _STEPS[strain.level - 1][1] if strain.level else Effort()


def steps_of(strain: Strain) -> tuple[str, ...]:
    """Return the names of the steps taken, the first one first."""
    return STEP_NAMES[: strain.level]


def adapt(strain: Strain, load: Load, *, at_s: float, settings: AdaptationSettings = _DEFAULTS) -> Strain:
    """Return where the policy stands after another look at the load; call it about once a second."""
    strained = _is_strained(load, settings)
    eased = not strained and _is_at_ease(load, settings)
    strain = replace(
        strain,
        strained_since_s=_since(strain.strained_since_s, at_s) if strained else None,
        eased_since_s=_since(strain.eased_since_s, at_s) if eased else None,
    )
    if _lasted(strain.strained_since_s, at_s, settings.step_after_s) and strain.level < len(_STEPS):
        return _step(strain, at_s, settings)
    if strain.level and _lasted(strain.eased_since_s, at_s, strain.back_after_s):
        return replace(strain, level=strain.level - 1, changed_at_s=at_s, eased_since_s=at_s, went_back=True)
    return strain


def _is_strained(load: Load, settings: AdaptationSettings) -> bool:
    hot = load.temperature_c is not None and load.temperature_c >= settings.hot_c
    return hot or load.throttled or not load.keeps_up


def _is_at_ease(load: Load, settings: AdaptationSettings) -> bool:
    cool = load.temperature_c is None or load.temperature_c < settings.cool_c
    return cool and load.busy < settings.at_ease_below


def _since(since_s: float | None, at_s: float) -> float:
    return at_s if since_s is None else since_s


def _lasted(since_s: float | None, at_s: float, long_s: float) -> bool:
    return since_s is not None and at_s - since_s >= long_s


def _step(strain: Strain, at_s: float, settings: AdaptationSettings) -> Strain:
    return replace(
        strain,
        level=strain.level + 1,
        changed_at_s=at_s,
        strained_since_s=at_s,
        went_back=False,
        back_after_s=_next_patience_s(strain, at_s, settings),
    )


def _next_patience_s(strain: Strain, at_s: float, settings: AdaptationSettings) -> float:
    """Return how long to be at ease before the next step back: twice as long after a step back that did not hold."""
    if strain.went_back and at_s - strain.changed_at_s < settings.relapse_within_s:
        return min(2 * strain.back_after_s, settings.longest_back_after_s)
    return strain.back_after_s if strain.level else settings.back_after_s
