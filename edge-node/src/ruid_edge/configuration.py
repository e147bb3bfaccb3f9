"""What the hub set, kept over restarts, and taken back by the node itself where it does harm.

A new configuration is in force at once and on trial: if the node stays well for a while it becomes the last good one,
otherwise the last good one comes back and the hub is told. A node that dies during a trial tries once more after its
restart; then that configuration is given up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from ruid_core.wire import messages as wm
from ruid_core.wire.validation import plain_reason
from ruid_edge.durable import remove_durably, write_durably

TRIAL_S = 20.0
_TRIES = 2

_log = structlog.get_logger("configuration")


class FieldFault(Protocol):
    """Why a configuration cannot be applied."""

    @property
    def field(self) -> str:
        """Which part of it."""
        ...

    @property
    def reason(self) -> str:
        """What is wrong with it."""
        ...


class _Kept(msgspec.Struct, frozen=True):
    """A configuration on disk; `tries` counts the starts in which it was on trial."""

    revision: int
    cameras: tuple[wm.CameraConfig, ...]
    tries: int = 0


@dataclass(slots=True)
class _Trial:
    kept: _Kept
    until_s: float


class ConfigurationKeeper:
    """Lives as long as the node, in its event loop; `now_s` is monotonic time."""

    def __init__(self, folder: Path, *, apply: Callable[[Sequence[wm.CameraConfig]], FieldFault | None]) -> None:
        self._good_file = folder / "configuration.good"
        self._trial_file = folder / "configuration.trial"
        self._apply = apply
        self._good = _read(self._good_file) or _Kept(0, ())
        self._trial: _Trial | None = None

    @property
    def revision(self) -> int:
        """The revision in force; 0 where the node goes by its own settings."""
        return self._trial.kept.revision if self._trial else self._good.revision

    def restore(self, *, now_s: float) -> wm.Configured | None:
        """Apply what was in force before the restart; return what the hub has to hear, if anything."""
        tried = _read(self._trial_file)
        self._apply_good()
        if tried is None:
            return None
        if tried.tries >= _TRIES:
            remove_durably(self._trial_file)
            return self._refusal(tried.revision, "", "the node ended twice while it worked by this configuration")
        return self._try(msgspec.structs.replace(tried, tries=tried.tries + 1), now_s=now_s)

    def take(self, configure: wm.Configure, *, now_s: float) -> wm.Configured:
        """Put the hub's configuration into force, on trial; return the answer."""
        if configure.revision == self.revision:
            return wm.Configured(configure.revision, accepted=True)
        return self._try(_Kept(configure.revision, configure.cameras, 1), now_s=now_s)

    def look(self, *, trouble: str, now_s: float) -> wm.Configured | None:
        """Judge the trial, about once a second: `trouble` says why the node is not well, or is empty.

        Returns what the hub has to hear where the trial has failed.
        """
        if self._trial is None:
            return None
        if trouble:
            failed = self._trial.kept.revision
            self._trial = None
            self._apply_good()
            remove_durably(self._trial_file)
            _log.warning("configuration taken back", revision=failed, reason=trouble)
            return self._refusal(failed, "", f"taken back: {trouble}")
        if now_s >= self._trial.until_s:
            self._settle(self._trial)
        return None

    def close(self) -> None:
        """A node that is stopped in good health has nothing against its configuration."""
        if self._trial is not None:
            self._settle(self._trial)

    def _try(self, kept: _Kept, *, now_s: float) -> wm.Configured:
        write_durably(self._trial_file, msgspec.msgpack.encode(kept))
        fault = self._apply(kept.cameras)
        if fault is not None:
            remove_durably(self._trial_file)
            return self._refusal(kept.revision, fault.field, fault.reason)
        self._trial = _Trial(kept, now_s + TRIAL_S)
        _log.info("configuration applied", revision=kept.revision)
        return wm.Configured(kept.revision, accepted=True)

    def _settle(self, trial: _Trial) -> None:
        self._good, self._trial = trial.kept, None
        write_durably(self._good_file, msgspec.msgpack.encode(self._good))
        remove_durably(self._trial_file)

    def _apply_good(self) -> None:
        fault = self._apply(self._good.cameras)
        if fault is not None:  # the cameras are others than when it was good
            _log.error("the kept configuration fits no more", field=fault.field, reason=fault.reason)
            self._good = _Kept(0, ())
            self._apply(())

    def _refusal(self, revision: int, field: str, reason: str) -> wm.Configured:
        return wm.Configured(revision, accepted=False, field=plain_reason(field), reason=plain_reason(reason))


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.error("a kept configuration cannot be read", file=path.name, reason=str(error))
        return None
