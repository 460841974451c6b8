"""CPU seconds and resident memory of a process and all its descendants, read from /proc.

`psutil` would do, but it is no dependency of the project and Linux is the only target.  Memory is
sampled, so a spike shorter than the interval can be missed; CPU seconds are exact for processes
that the tree waits for, and as of the last sample for the others.
"""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Process:
    """What /proc/<pid>/stat says: parent, own CPU ticks, resident bytes."""

    pid: int
    parent: int
    ticks: int
    rss_bytes: int


@dataclass(slots=True)
class Usage:
    """What a tree has used; `rss_bytes` is one sum over the tree per sample."""

    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    rss_bytes: list[int] = field(default_factory=list)


class TreeMeter:
    """Samples a process tree in a thread until it is closed."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: dict[int, int] = {}
        self._over = threading.Event()
        self.usage = Usage()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self, waited_cpu_s: float) -> Usage:
        """End and return what was used.

        Args:
            waited_cpu_s: user and system seconds of the root, from `os.wait4`; it includes every
                descendant that was waited for, which sampling alone would undercount.
        """
        self._over.set()
        self._thread.join()
        self.usage.cpu_s = max(waited_cpu_s, sum(self._seen.values()) / TICKS_PER_S)
        return self.usage

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            tree = _tree(self._pid)
            for process in tree:
                ticks = process.ticks
                self._seen[process.pid] = max(ticks, self._seen.get(process.pid, 0))
            total = sum(process.rss_bytes for process in tree)
            self.usage.rss_bytes.append(total)
            self.usage.peak_rss_bytes = max(self.usage.peak_rss_bytes, total)


def tree_cpu_s(pid: int) -> float:
    """Return user and system seconds that the living processes of a tree have used so far."""
    return sum(process.ticks for process in _tree(pid)) / TICKS_PER_S


def growth(samples: Sequence[int]) -> float:
    """Return mean memory of the last quarter over that of the second: 1 is flat."""
    quarter = len(samples) // 4
    if not quarter:
        return 1.0
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return (sum(last) / len(last)) / max(1.0, sum(second) / len(second))


def _tree(root: int) -> list[_Process]:
    """Return the living processes below and including `root`."""
    living = {p.pid: p for p in map(_read, Path("/proc").glob("[0-9]*")) if p is not None}
    children: dict[int, list[int]] = {}
    for process in living.values():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        if pid in living:
            found.append(living[pid])
        waiting += children.get(pid, [])
    return found


def _read(folder: Path) -> _Process | None:
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Process(
        pid=int(folder.name),
        parent=int(fields[1]),
        ticks=int(fields[11]) + int(fields[12]),
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )
