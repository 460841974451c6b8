"""Keeps a clean exit clean: DuckDB's bindings list their own types as leaked at the very end.

They do so in every process in which a thread, such as Prefect's, still lives while the interpreter
is taken down: a hundred lines about nothing after the result.
"""

import atexit
import os
import sys


def mute_teardown() -> None:
    """Drop what is written to stderr after the last exit handler of this process.

    Call it before anything else registers an exit handler: handlers run last come first, so real
    messages are out by then.
    """
    atexit.register(_drop_stderr)


def _drop_stderr() -> None:
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
