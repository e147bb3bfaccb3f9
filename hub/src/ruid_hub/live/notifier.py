"""Tells the waiting feed that the site changed."""

import asyncio


class ChangeNotifier:
    """One per hub. `changed` is cheap and may be called for every message; `close` ends every stream.

    Make it inside the running event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once the hub is going down."""
        return self._closed

    def changed(self) -> None:
        """Something may look different now. Call it in the event loop's thread."""
        self._changed.set()

    def changed_from_thread(self) -> None:
        """The same from any other thread."""
        self._loop.call_soon_threadsafe(self._changed.set)

    def close(self) -> None:
        """End the feed and every open stream, so that the web server can stop at once."""
        self._closed = True
        self._changed.set()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next change, or after the timeout; changes since the last wait count."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        if not self._closed:
            self._changed.clear()
