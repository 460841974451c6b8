"""Own a Prefect server for as long as somebody uses it: `python -m infra.prefect_api.supervisor`.

Every user holds a shared lock on one file, and the kernel drops it however a user ends, SIGKILL
included.  The supervisor ends the server as soon as it gets that lock for itself, and keeps it
until the server is gone, so that a newcomer waits and then starts afresh.  It is a process of its
own because the kernel ends a child with the *thread* that started it; here there is one thread.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

POLL_S = 0.25
STOP_S = 10.0
"""Time a server gets to end by itself; it took 1-3 s on 2 cores."""

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before any fork: a child must not load libraries between fork and exec."""


class _Stop(Exception):  # noqa: N818 - no error: somebody asked the supervisor to end
    """Raised in the main thread by SIGTERM or SIGINT."""


def supervise(users_lock: Path, command: list[str]) -> int:
    """Run `command` until nobody holds `users_lock`; return its exit code, 0 if we ended it."""
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGINT, _raise_stop)
    server = subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread, and a preloaded library
    )
    with users_lock.open("w") as lock:
        try:
            while not _is_unused(lock.fileno()):
                if server.poll() is not None:
                    return server.returncode
                time.sleep(POLL_S)
        except _Stop:
            pass
        _end_group(server)
    return 0


def _is_unused(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_group(server: "subprocess.Popen[bytes]") -> None:
    """Ask the server's whole process group to end, then make it."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, signum)
            server.wait(STOP_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _raise_stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise _Stop


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), sys.argv[2:]))
