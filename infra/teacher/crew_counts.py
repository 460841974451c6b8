"""What a crew knows of the counts of its workers: a moment old, without waiting for anybody."""

from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from infra.pool.services import Service, ServiceGoneError
from infra.teacher.crew_seat import MESSAGE_S
from infra.teacher.merged_stats import merged
from infra.teacher.permits import PermitsState
from infra.teacher.stats import TeacherStats
from sightline.errors import SightlineError


class Counts:
    """The last known counts of workers and limits; looking asks for newer ones."""

    def __init__(self, gatekeeper: Service) -> None:
        self._gatekeeper = gatekeeper
        self._of: dict[Service, TeacherStats] = {}
        self._state = PermitsState()
        self._asked: list[Future[Any]] = []

    @property
    def now(self) -> TeacherStats:
        """Return what is known; a dead worker's counts are those it last told."""
        return merged(self._of.copy().values(), self._state)

    def look(self, workers: Iterable[Service]) -> None:
        """Ask for what is now, unless that is under way."""
        if not all(each.done() for each in self._asked):
            return
        self._asked = [self._gatekeeper.submit("state")]
        self._asked[0].add_done_callback(self.take_state)
        for worker in workers:
            counts = worker.submit("stats")
            counts.add_done_callback(partial(self.take, worker))
            self._asked.append(counts)

    def take(self, worker: Service, done: "Future[TeacherStats]") -> None:
        """Keep what a worker told."""
        with suppress(ServiceGoneError, SightlineError):
            self._of[worker] = done.result()

    def take_state(self, done: "Future[PermitsState]") -> None:
        """Keep what the gatekeeper told."""
        with suppress(ServiceGoneError, SightlineError):
            self._state = done.result(MESSAGE_S)
