"""Submits task runs of many parts, a bounded number of parts at a time, and collects what came.

Prefect keeps a thread per submitted run, so a lake of ten thousand parts must not be submitted at
once.  A run is submitted at most once per (step, part); a failed run stops what waits for it, not
the other parts.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prefect.futures import PrefectFuture
from prefect.utilities.annotations import quote

from infra.execution import PartResult, RunContext

Key = tuple[str, str]
"""(step, part)."""


@dataclass(slots=True)
class Schedule:
    """Task runs of one build.

    Attributes:
        context: handed to every task.
        parts_in_flight: most groups of runs that are open at once.
        on_collected: called for every finished run, in the flow's thread.
        results: of the runs that completed.
        problems: one line per run that failed.
        not_begun: runs that waited for one that failed.
    """

    context: RunContext
    parts_in_flight: int
    on_collected: Callable[[Key], None] = lambda _key: None
    results: list[PartResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_begun: int = 0
    _futures: dict[Key, PrefectFuture[PartResult]] = field(default_factory=dict)
    _collected: set[Key] = field(default_factory=set)
    _open: deque[list[Key]] = field(default_factory=deque)

    def submit(
        self, step: str, task: Any, part: str, *inputs: Any, after: Sequence[Key] = (), **more: Any
    ) -> Key:
        """Submit `task` for `part` unless it was submitted before; return its key."""
        key = (step, part)
        if key not in self._futures:
            self.context.progress.part_submitted(step)
            self._futures[key] = task.submit(
                part,
                *inputs,
                context=quote(self.context),  # Prefect would walk through it while others change it
                wait_for=[self._futures[k] for k in after],
                **more,
            )
        return key

    def admit(self, keys: list[Key]) -> None:
        """Count the runs of one part as open; wait for the oldest part if too many are."""
        self._open.append(keys)
        while len(self._open) > self.parts_in_flight:
            self._collect(self._open.popleft())

    def drain(self) -> None:
        """Wait for every open part."""
        while self._open:
            self._collect(self._open.popleft())

    def is_done(self, key: Key) -> bool:
        """Return whether a run that was collected completed."""
        return key in self._collected and self._futures[key].state.is_completed()

    def _collect(self, keys: Sequence[Key]) -> None:
        for key in keys:
            if key in self._collected:
                continue
            self._collected.add(key)
            future = self._futures[key]
            future.wait()
            state = future.state
            if state.is_completed():
                self.results.append(future.result())
            elif state.is_pending():
                self.not_begun += 1
            else:
                self.problems.append(f"{key[0]} {key[1]}: {state.message or state.name}")
            self.on_collected(key)
