"""Where the CPU seconds of this process go, by stage, without a hook in the measured code.

A thread wakes every few milliseconds and charges what each thread has computed since
(`/proc/self/task/<id>/schedstat`, nanoseconds) to the stage that its Python stack is in: the
innermost frame that a pattern matches.  Threads without Python frames, OpenMP's and Arrow's, go to
`native`.  A stage shorter than the interval is charged by chance, so figures need some seconds of
work; what a run costs is measured without the sampler.
"""

import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

EVERY_S: Final = 0.004
TASKS: Final = Path("/proc/self/task")
NATIVE: Final = "native"
OTHER: Final = "other"


class StageClock:
    """Samples all threads of this process between `start` and `stop`."""

    def __init__(self, stages: Mapping[str, str]) -> None:
        """Take patterns: part of a file's path, or `path:function`, to the name of a stage."""
        self._stages = [(*pattern.partition(":")[::2], stage) for pattern, stage in stages.items()]
        self._known: dict[tuple[str, str], str | None] = {}
        self._seconds: Counter[str] = Counter()
        self._before: dict[int, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._before = _computed_ns()
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """Return CPU seconds by stage, up to now."""
        self._over.set()
        self._thread.join()
        self._charge()
        return dict(self._seconds)

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._charge()

    def _charge(self) -> None:
        """Charge what each thread has computed since the last time."""
        stages = self._stages_now()
        now = _computed_ns()
        for task, computed in now.items():
            spent = computed - self._before.get(task, 0)
            self._seconds[stages.get(task, NATIVE)] += spent / 1e9
        self._before = now

    def _stages_now(self) -> dict[int, str]:
        """Return the stage of every Python thread by its kernel id."""
        frames = sys._current_frames()  # noqa: SLF001 - the documented way to see other threads
        return {
            thread.native_id: self._stage_of(frames[thread.ident])
            for thread in threading.enumerate()
            if thread.native_id and thread.ident in frames and thread is not self._thread
        }

    def _stage_of(self, innermost: FrameType) -> str:
        frame: FrameType | None = innermost
        while frame is not None:
            place = (frame.f_code.co_filename, frame.f_code.co_name)
            if place not in self._known:
                self._known[place] = self._match(*place)
            if (stage := self._known[place]) is not None:
                return stage
            frame = frame.f_back
        return OTHER

    def _match(self, path: str, function: str) -> str | None:
        for part, name, stage in self._stages:
            if part in path and name in {"", function}:
                return stage
        return None


def _computed_ns() -> dict[int, int]:
    found = {}
    for task in TASKS.iterdir():
        try:
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0])
        except OSError:  # the thread ended
            continue
    return found
