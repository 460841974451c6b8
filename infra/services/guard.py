"""Runs a server for as long as somebody holds its standard input: `python -m infra.services.guard`.

The pipe closes when its holder dies, however it dies, and then the server's whole process group is
ended, so that no GPU stays taken.  One thread, because the kernel ends a child with the thread that
started it.
"""

import os
import select
import signal
import sys
from types import FrameType

from infra.process_group import end_group, start_group

POLL_S = 0.2
STOP_S = 10.0
"""Time a server gets to free its GPUs by itself."""


class _Stop(Exception):  # noqa: N818 - no error: somebody asked the guard to end
    """Raised by SIGTERM or SIGINT."""


def guard(command: list[str]) -> int:
    """Run `command` until standard input closes; return its exit code, 0 if we ended it."""
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGINT, _raise_stop)
    server = start_group(command)
    try:
        while not _is_closed(sys.stdin.fileno()):
            if server.poll() is not None:
                return server.returncode
    except _Stop:
        pass
    end_group(server, STOP_S)
    return 0


def _is_closed(pipe: int) -> bool:
    """Wait a moment and tell whether the other end is gone."""
    readable, _, _ = select.select([pipe], [], [], POLL_S)
    return bool(readable) and not os.read(pipe, 4096)


def _raise_stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise _Stop


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
