"""Child processes that end as a whole, and with whoever started them.

A server starts processes of its own, so it is given a process group and the group is ended.  The
kernel ends a child with the *thread* that started it, so only a process with a single thread may
ask for that (`dies_with_parent`); that is why servers have a small supervisor process each.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before any fork: a child must not load libraries between fork and exec."""


def start_group(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start `command` as the head of a group that the kernel ends with this process.

    Call it from a process with one thread.
    """
    return subprocess.Popen(  # noqa: S603 - our own command
        list(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread, and a preloaded library
    )


def end_group(head: "subprocess.Popen[bytes]", stop_s: float) -> None:
    """Ask the whole group to end, then make it after `stop_s`."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(head.pid, signum)
            head.wait(stop_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
