"""What the Prefect UI shows of a teacher while a flow asks: a page that moves, and the run's state.

The page is one artifact per run, updated in place.  While no call gets through, the run's state is
still of type Running, so that its tasks may begin and it can be cancelled, but it is named
`TeacherPaused` or `TeacherThrottled` and says why.  Prefect counts each such change as one more
start of the run, so a run with flow-level retries, which are counted in starts, keeps its plain
state.  Nothing here may end a build: an API that does not answer is asked again at the next look.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.states import Running

from infra.teacher.stats import TeacherState
from infra.teacher.watch import Look, TeacherWatch
from infra.telemetry import StepCounts

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
KEY: Final = "teacher"
DESCRIPTION: Final = "Calls, rates, tokens and dollars of the teachers in this run."
STATE_NAMES: Final = {
    TeacherState.RUNNING: "Running",
    TeacherState.THROTTLED: "TeacherThrottled",
    TeacherState.PAUSED: "TeacherPaused",
}
API_TROUBLE: Final = (httpx.HTTPError, PrefectException, OSError)


@dataclass(slots=True)
class RunPage:
    """The artifact and the state of one flow run.

    Attributes:
        flow_run_id: of the run.
        shows_state: whether its state may be renamed.
    """

    flow_run_id: UUID
    shows_state: bool
    _artifact: UUID | None = None
    _told: TeacherState = TeacherState.RUNNING
    _seen: TeacherState = TeacherState.RUNNING

    @classmethod
    def of_this_run(cls) -> "RunPage | None":
        """Return the page of the flow run that calls; null outside of one."""
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            return None
        run = context.flow_run
        return cls(run.id, shows_state=not run.empirical_policy.retries)

    def show(self, text: str) -> None:
        """Put `text` into the run's artifact."""
        with get_client(sync_client=True) as client:
            if self._artifact is not None:
                client.update_artifact(self._artifact, ArtifactUpdate(data=text))
                return
            created = client.create_artifact(
                ArtifactCreate(
                    key=KEY,
                    type="markdown",
                    description=DESCRIPTION,
                    data=text,
                    flow_run_id=self.flow_run_id,
                )
            )
            self._artifact = created.id

    def follow(self, state: TeacherState, reason: str) -> None:
        """Name the run's state after the teacher's, once two looks in a row agree on trouble."""
        is_sure = state is self._seen or state is TeacherState.RUNNING
        self._seen = state
        if not self.shows_state or state is self._told or not is_sure:
            return
        with get_client(sync_client=True) as client:
            named: State[Any] = Running(name=STATE_NAMES[state], message=reason or None)
            client.set_flow_run_state(self.flow_run_id, named)
        self._told = state


@contextmanager
def watching(
    watch: TeacherWatch, progress: StepCounts, every_s: float = LOOK_EVERY_S
) -> Iterator[None]:
    """Show the teacher in the terminal and on the run's page until the block ends."""
    progress.watch(KEY, watch.cells)
    page = RunPage.of_this_run()
    if page is None:
        yield
        return
    over = threading.Event()
    watcher = _Watcher(watch, page, over, every_s)
    thread = threading.Thread(target=copy_context().run, args=[watcher.run], name="watching")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        watcher.finish()


@dataclass(slots=True)
class _Watcher:
    watch: TeacherWatch
    page: RunPage
    over: threading.Event
    every_s: float
    troubles: int = field(default=0)

    def run(self) -> None:
        """Look every few seconds until it is over."""
        while not self.over.wait(self.every_s):
            look = self.watch.look()
            if look is not None:
                self._publish(look, look.stats.state)

    def finish(self) -> None:
        """Leave the last figures on the page and the run in its plain state."""
        look = self.watch.look()
        if look is not None:
            self._publish(look, TeacherState.RUNNING)

    def _publish(self, look: Look, state: TeacherState) -> None:
        try:
            self.page.show(look.page(self.watch.caps))
            self.page.follow(state, look.stats.reason)
        except API_TROUBLE as exc:
            self.troubles += 1
            level = logging.WARNING if self.troubles == 1 else logging.DEBUG
            _log.log(level, "the Prefect API did not take the teacher's figures: %s", exc)
