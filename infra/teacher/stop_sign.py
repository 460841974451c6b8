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
        """Raise the reason."""
        if self._error is not None:
            raise again(self._error)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        if seconds <= 0.0:
            return
        try:
            await asyncio.wait_for(self._raised.wait(), seconds)
        except TimeoutError:
            return


def again(error: SightlineError) -> SightlineError:
    """Return the same error anew, to be raised once more: tracebacks would pile up on one."""
    return type(error)(*error.args)
