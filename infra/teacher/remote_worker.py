"""A worker that asks: one process with a teacher and a ledger of its own, and the run's limits.

The ledger is the lake's, so what any worker received is never bought again by another; its spool
lies on the worker's machine.  Opening it commits what a dead worker of the same machine left there.
Work comes as jobs (`infra.teacher.jobs`): whole chains run here, and only their ends travel back.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from infra.ledger.ledger import Ledger, Sharing
from infra.pool.services import Place, Service
from infra.teacher.batch.reservations import Reservations
from infra.teacher.client import Teacher, TeacherConfig, open_teacher
from infra.teacher.jobs import Job
from infra.teacher.remote_permits import RemotePermits
from infra.teacher.stats import TeacherStats
from sightline.errors import SightlineError

TELL_S: Final = 30.0
"""Longest wait for the gatekeeper to take in what was settled."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LedgerHome:
    """Where a ledger is; plain values, so that every worker can open it.

    Attributes:
        lake: URI of its lake; a folder must be one that all machines share.
        storage: how to reach the lake.
        spool_dir: folder on the worker's machine for what is not committed yet.
        sharing: what it promises beyond one machine.
    """

    lake: str
    storage: StorageOptions = field(default_factory=StorageOptions)
    spool_dir: Path = Path("spool")
    sharing: Sharing = field(default_factory=Sharing)

    def open(self) -> Ledger:
        """Return the ledger; entering it commits what dead processes left in the spool."""
        return Ledger(Lake(self.lake, self.storage), self.spool_dir, self.sharing)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What one asking worker is built from.

    Attributes:
        name: unique in the run, also among workers that replaced one another.
        config: of its teacher, without `reserved`, which is a matter of this machine.
        ledger: where calls are written down.
        guards_batches: whether calls that an open batch holds are refused.
        flush_every_s: how often received answers leave its machine; null is only when asked to.
    """

    name: str
    config: TeacherConfig
    ledger: LedgerHome
    guards_batches: bool = False
    flush_every_s: float | None = None

    def teacher_config(self, ledger: Ledger) -> TeacherConfig:
        """Return the configuration as this machine needs it."""
        if not self.guards_batches:
            return self.config
        return replace(self.config, reserved=Reservations(ledger))


class AskingWorker:
    """A teacher that answers jobs; `infra.pool.services` builds it in a process of its own."""

    def __init__(self, place: Place, plan: WorkerPlan, gatekeeper: Service) -> None:
        del place
        self._plan = plan
        self._permits = RemotePermits(gatekeeper, plan.name)
        self._ledger = plan.ledger.open()
        self._flusher: asyncio.Task[None] | None = None
        self._final: TeacherStats | None = None
        try:
            self._ledger.recover()
            self._teacher: Teacher = open_teacher(
                plan.teacher_config(self._ledger), self._ledger, self._permits
            )
        except BaseException:
            self._ledger.close()
            raise

    async def run(self, job: Job[Any]) -> Any:
        """Return what came of `job`."""
        if self._flusher is None and self._plan.flush_every_s is not None:
            self._flusher = asyncio.create_task(self._flush_often(self._plan.flush_every_s))
        return await job.run(self._teacher)

    async def stats(self) -> TeacherStats:
        """Return the counts so far."""
        return self._teacher.stats

    async def flush(self) -> None:
        """Commit everything received so far to the lake."""
        await asyncio.to_thread(self._ledger.flush)

    async def finish(self) -> TeacherStats:
        """Let calls in flight arrive, commit everything, and return the last counts; idempotent."""
        if self._final is None:
            if self._flusher is not None:
                self._flusher.cancel()
            self._final = await asyncio.to_thread(self._finish)
        return self._final

    async def close(self) -> None:
        """Finish, if nobody did."""
        await self.finish()

    def _finish(self) -> TeacherStats:
        try:
            self._permits.tell_all(TELL_S)
            self._teacher.close()
            self._ledger.flush()
        finally:
            self._ledger.close()
        return self._teacher.stats

    async def _flush_often(self, every_s: float) -> None:
        """Keep short what a lost machine takes along."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.flush()
            except SightlineError as exc:
                logger.warning("a flush failed and will be tried again: %s", exc)
