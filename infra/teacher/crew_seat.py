"""One place in a crew: a worker, and those that replace it when it dies.

A successor starts where the dead one ran, because there lies what it had received; only a spool in
the lake can be reached from elsewhere.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from infra.pool.services import BuildDiedError, Place, Service, Services, ServiceSpec
from infra.teacher.client import TeacherConfig
from infra.teacher.remote_worker import LedgerHome, WorkerPlan
from sightline.errors import PoolError, TeacherError

WORKER: Final = "infra.teacher.remote_worker:AskingWorker"
START_S: Final = 120.0
MESSAGE_S: Final = 30.0
"""Longest wait for the gatekeeper to answer."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CrewPlan:
    """What a crew is made of.

    Attributes:
        workers: how many processes ask.
        config: of the teacher in each of them; caps and limits are those of the crew.
        ledger: where calls are written down.
        num_cpus: cores that one worker reserves on a cluster.
        max_restarts: deaths in a row of one worker, without an answer between.
        flush_every_s: how often received answers leave a worker's machine; null is per part only.
    """

    workers: int
    config: TeacherConfig
    ledger: LedgerHome
    num_cpus: float = 1.0
    max_restarts: int = 6
    flush_every_s: float | None = None

    @property
    def limits(self) -> Mapping[str, Any]:
        """Return what the gatekeeper is built from; it sends nothing, so it gets no keys."""
        endpoints = [replace(endpoint, api_key=None) for endpoint in self.config.endpoints]
        return {"endpoints": endpoints, "caps": self.config.caps, "pace": self.config.pace}

    def worker(self, name: str) -> WorkerPlan:
        """Return what a worker is built from."""
        return WorkerPlan(
            name=name,
            config=replace(self.config, reserved=None),
            ledger=self.ledger,
            guards_batches=self.config.reserved is not None,
            flush_every_s=self.flush_every_s,
        )


class Seat:
    """One worker and those that replaced it."""

    def __init__(
        self, number: int, plan: CrewPlan, services: Services, gatekeeper: Service
    ) -> None:
        self._number, self._plan = number, plan
        self._services, self._gatekeeper = services, gatekeeper
        self._lock = threading.Lock()
        self._started = 0
        self.jobs = 0
        self.deaths_in_a_row = 0
        self.worker = self._start(Place())

    def replace(self, dead: Service, reason: str) -> None:
        """Put a new worker in the place of `dead`, once, whoever reports it first.

        Raises:
            PoolError: workers of this seat die again and again, or none can be started.
            TeacherError: what the dead one received lies where its successor does not look.
        """
        with self._lock:
            if self.worker is not dead:
                return
            held = self._gatekeeper.submit("drop", self._name).result(MESSAGE_S)
            logger.info("%d calls of a dead worker may be billed without an answer", held)
            self._count_death(reason)
            self.worker = self._start(dead.place)
            self._check_spool(dead.place)

    def _check_spool(self, old: Place) -> None:
        """Refuse to go on elsewhere with replies left behind: their rows would count."""
        if self.worker.place.node == old.node or self._plan.ledger.sharing.spool_in_lake:
            return
        msg = (
            f"the machine of asking worker {self._number} ({old.address}) is gone, and with it "
            "replies that were not committed yet: build again, and only those are bought again. "
            "With SIGHTLINE_SPOOL=lake a run survives the loss of a machine"
        )
        raise TeacherError(msg)

    def _count_death(self, reason: str) -> None:
        """Note a death.

        Raises:
            PoolError: it was one too many.
        """
        self.deaths_in_a_row += 1
        logger.warning("asking worker %d died: %s", self._number, reason)
        if self.deaths_in_a_row > self._plan.max_restarts:
            msg = (
                f"asking worker {self._number} died {self.deaths_in_a_row} times in a row without "
                f"an answer between; the last time: {reason}. Give it more memory, or lower the "
                "number of calls at once"
            )
            raise PoolError(msg)

    @property
    def _name(self) -> str:
        return f"{self._number}.{self._started}"

    def _start(self, place: Place) -> Service:
        """Start a worker, if possible where `place` is: there lies what the last one received."""
        while True:
            self._started += 1
            options = {"plan": self._plan.worker(self._name), "gatekeeper": self._gatekeeper}
            spec = ServiceSpec(WORKER, options, num_cpus=self._plan.num_cpus, node=place.node)
            try:
                return self._services.start(spec, START_S)
            except BuildDiedError as exc:
                self._count_death(str(exc))
