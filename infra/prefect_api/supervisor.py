"""Own a Prefect server for as long as somebody uses it: `python -m infra.prefect_api.supervisor`.

Every user holds a shared lock on one file, and the kernel drops it however a user ends, SIGKILL
included.  The supervisor ends the server as soon as it gets that lock for itself, and keeps it
until the server is gone, so that a newcomer waits and then starts afresh.  It is a process of its
own because the kernel ends a child with the *thread* that started it; here there is one thread.
"""

import fcntl
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from infra.process_group import end_group, start_group

POLL_S = 0.25
STOP_S = 10.0
"""Time a server gets to end by itself; it took 1-3 s on 2 cores."""


class _Stop(Exception):  # noqa: N818 - no error: somebody asked the supervisor to end
    """Raised in the main thread by SIGTERM or SIGINT."""


def supervise(users_lock: Path, command: list[str]) -> int:
    """Run `command` until nobody holds `users_lock`; return its exit code, 0 if we ended it."""
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGINT, _raise_stop)
    server = start_group(command)
    with users_lock.open("w") as lock:
        try:
            while not _is_unused(lock.fileno()):
                if server.poll() is not None:
                    return server.returncode
                time.sleep(POLL_S)
        except _Stop:
            pass
        end_group(server, STOP_S)
    return 0


def _is_unused(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _raise_stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise _Stop


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), sys.argv[2:]))
