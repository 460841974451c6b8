"""The clock by which a process tells how long ago something was.

Easy to get wrong: `time.monotonic` stands still while a machine sleeps, so who wakes up would take
what it knew an hour ago for new, and itself for known to be alive.
"""

import time
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts sleep on Linux; elsewhere the monotonic clock does."""


def elapsed_s() -> float:
    """Return seconds since some moment, whatever is done to the machine's date."""
    return time.clock_gettime(_CLOCK)
