"""The reason why a run buys nothing any more: set once, seen by all, kept as the first one said."""

import asyncio

from sightline.errors import SightlineError


class StopSign:
    """The reason why nothing new is bought any more; set once, wakes all who wait."""

    def __init__(self) -> None:
        self._error: SightlineError | None = None
        self._raised = asyncio.Event()

    def stop(self, error: SightlineError) -> None:
        """Buy nothing from now on; the first reason stays."""
        self._error = self._error or error
        self._raised.set()

    def check(self) -> None:
        """Raise the reason, as a new exception each time: tracebacks would pile up on one."""
        if self._error is not None:
            raise type(self._error)(*self._error.args)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        if seconds <= 0.0:
            return
        try:
            await asyncio.wait_for(self._raised.wait(), seconds)
        except TimeoutError:
            return
