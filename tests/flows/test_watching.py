"""A teacher on the page of its run: figures, and a state that says why nothing moves."""

import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.runtime import flow_run
from rich.console import Console

from flows.watching import KEY, watching
from infra.settings import load_settings
from infra.teacher.budget import Caps
from infra.teacher.stats import TeacherState, TeacherStats
from infra.teacher.watch import TeacherWatch
from infra.telemetry import StepCounts, terminal_progress

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]

FINE = TeacherStats(calls=3, outcomes={"success": 3})
DOWN = replace(FINE, state=TeacherState.PAUSED, reason="default: m: no connection")
BUSY = replace(FINE, state=TeacherState.THROTTLED, reason="default: m: 429")


class Told:
    """Gives the stats of a list, one per look, then the last for ever."""

    def __init__(self, stats: Sequence[TeacherStats | None]) -> None:
        self._stats, self._looks = list(stats), 0
        self.all_told = threading.Event()

    def __call__(self) -> TeacherStats | None:
        self._looks += 1
        if self._looks > len(self._stats):
            self.all_told.set()
        return self._stats[min(self._looks, len(self._stats)) - 1]


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


def run_asking(stats: Sequence[TeacherStats | None], retries: int = 0) -> UUID:
    """Run a flow that asks while `stats` are told; return its id."""

    @flow(retries=retries, persist_result=False)
    def asking() -> str:
        told = Told(stats)
        with watching(TeacherWatch(told, Caps()), StepCounts(), every_s=0.01):
            assert told.all_told.wait(30)
        return str(flow_run.get_id())

    return UUID(asking())


def state_names(client: SyncPrefectClient, run: UUID) -> list[str]:
    states = sorted(client.read_flow_run_states(run), key=lambda state: state.timestamp)
    return [state.name or "" for state in states]


def test_watching_names_the_state_while_the_teacher_is_paused_and_back(client: SyncPrefectClient):
    run = run_asking([FINE, DOWN, DOWN, DOWN, FINE])
    assert state_names(client, run) == [
        "Pending",
        "Running",
        "TeacherPaused",
        "Running",
        "Completed",
    ]
    (paused,) = [s for s in client.read_flow_run_states(run) if s.name == "TeacherPaused"]
    assert paused.type.value == "RUNNING"
    assert paused.message == "default: m: no connection"


def test_watching_one_look_of_trouble_is_not_told(client: SyncPrefectClient):
    run = run_asking([FINE, BUSY, FINE, DOWN, FINE])
    assert state_names(client, run) == ["Pending", "Running", "Completed"]


def test_watching_run_that_ends_throttled_is_given_its_plain_state_first(
    client: SyncPrefectClient,
):
    run = run_asking([BUSY, BUSY])
    assert state_names(client, run)[1:] == ["Running", "TeacherThrottled", "Running", "Completed"]


def test_watching_run_with_retries_keeps_its_state(client: SyncPrefectClient):
    assert state_names(client, run_asking([DOWN, DOWN, DOWN], retries=2)) == [
        "Pending",
        "Running",
        "Completed",
    ]


def test_watching_page_is_one_artifact_with_the_last_figures(client: SyncPrefectClient):
    run = run_asking([None, FINE, replace(FINE, calls=4), replace(FINE, calls=5)])
    (page,) = client.read_artifacts(
        artifact_filter=ArtifactFilter(
            key=ArtifactFilterKey(any_=[KEY]), flow_run_id=ArtifactFilterFlowRunId(any_=[run])
        )
    )
    assert isinstance(page.data, str)
    assert page.data.startswith("- 5 calls")
    assert "outcomes: 3 success" in page.data


def test_watching_without_a_flow_run_shows_the_line_alone():
    shown = io.StringIO()
    with (
        terminal_progress(load_settings(), Console(file=shown, width=200)) as progress,
        watching(TeacherWatch(lambda: FINE, Caps()), progress),
    ):
        pass
    assert shown.getvalue().startswith("teacher  3 calls  0.0 calls/s  0/0 in flight, 0 waiting")
