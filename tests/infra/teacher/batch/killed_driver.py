"""A batch driver that kills itself at one of its steps, as a machine that is lost would end.

A step is one thing that others can see: a file uploaded, a batch created or asked for, a row of a
table committed.  The kill comes right before or right after it, so nothing is told to anybody.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.lake.lake import Lake
from infra.teacher.batch.client import BatchClient
from infra.teacher.batch.outbox import FileLimits
from tests.infra.teacher.batch.batches import site_at, waves_until_done

STEPS = (
    (BatchClient, "upload"),
    (BatchClient, "create"),
    (BatchClient, "retrieve"),
    (BatchClient, "download"),
    (Lake, "publish"),
)


@dataclass(frozen=True)
class Drive:
    """What one driver does.

    Attributes:
        base_url: of the teacher.
        lake: folder of the lake.
        machine: folder of what only this machine sees, such as its spool.
        numbers: chains to answer.
        dies_at: kill before this moment: 2n is before step n, 2n + 1 after it; null lives.
        steps: file that gets a line per step done, for those who plan kills.
    """

    base_url: str
    lake: Path
    machine: Path
    numbers: range
    dies_at: int | None = None
    steps: Path | None = None


def drive(job: Drive) -> None:
    """Answer all chains of a job in batches, or die on the way."""
    watch = _Watch(job)
    for owner, name in STEPS:
        setattr(owner, name, watch.around(name, getattr(owner, name)))
    with site_at(
        job.base_url,
        job.machine,
        limits=FileLimits(requests=2),
        shared_lake=Lake(job.lake),
        expiry_s=1.0,
        grace_s=0.0,
    ) as site:
        waves_until_done(site, job.numbers)


class _Watch:
    def __init__(self, job: Drive) -> None:
        self._job, self._moment = job, 0

    def around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._pass()
            result = step(*args, **kwargs)
            self._note(name)
            self._pass()
            return result

        return stepped

    def _pass(self) -> None:
        if self._moment == self._job.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._moment += 1

    def _note(self, name: str) -> None:
        if self._job.steps is not None:
            with self._job.steps.open("a") as file:
                file.write(f"{name}\n")
