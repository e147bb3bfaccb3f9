"""A hub that shows itself to whoever visits it, for as long as it has bundled footage alone to show.

The setting is not enough. The hub has to have been new when it began, and it ends for good when it is started as
anything else or when somebody lets a node in: nodes that come by themselves know the demonstration's own secret, which
the node's image uses for its bundled clips alone (`HubSettings.joining_file`). An owner ends it too, see `Access`.
"""

from ruid_hub.store import Store
from ruid_hub.store.access import read_setting, write_setting

_SETTING = "demonstration"


class Demonstration:
    """Whether a hub is one; `wanted` is what its settings say."""

    def __init__(self, *, store: Store, wanted: bool) -> None:
        self._store = store
        with store.reading() as connection:
            kept = read_setting(connection, _SETTING)
        begins = wanted and kept is None and not store.cameras()
        self.on = begins or (wanted and kept is True)
        if begins or (kept is True and not wanted):
            self._keep()

    def end(self) -> None:
        """From this moment on; written down, so that the next start knows."""
        if self.on:
            self.on = False
            self._keep()

    def _keep(self) -> None:
        with self._store.writing() as connection:
            write_setting(connection, _SETTING, self.on)
