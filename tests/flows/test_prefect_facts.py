"""What Prefect knows of a build: a run per (step, part), artifacts and retries, and no rows."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import Artifact, TaskRun

from infra.execution import PartResult, RunContext
from infra.lake.lake import Lake
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.kinds import open_source
from tasks.ingest.source import LoadedRow, Source, SourceRow
from tasks.ingest.task import ingest
from tasks.ingest.work import IngestWork, known_rows
from tests.flows.processes import wait_until
from tests.flows.site import Site
from tests.flows.tables import ask, count

PARTS = 2
STEPS = ("ingest", "image_keys", "text_keys", "depth", "segment", "ground")
CHAIN_STEPS = ("distill", "parse", "verify", "text_keys")
SETTLING = {"dedup_images images", "dedup samples", "dedup_chains chains"}
WRITER = "sightline-embedded"
RUNS = (len(STEPS) + len(CHAIN_STEPS)) * PARTS + len(SETTLING) + 2
"""With the checks and the report."""

ARTIFACTS = {
    "build": "progress",
    "yield-funnel": "table",
    "duplicate-tiers": "table",
    "failures-by-code": "table",
    "teacher-cost": "table",
    "teacher-calls": "table",
    "teacher-latency": "table",
    "teacher": "markdown",
    "checks": "table",
    "summary": "markdown",
    "report": None,
}

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def lake(tiny: Site) -> Lake:
    return tiny.lake()


@pytest.fixture(scope="module")
def client(tiny: Site) -> Iterator[SyncPrefectClient]:
    assert tiny.prefect_url
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def flow_run_id(lake: Lake) -> UUID:
    (row,) = ask(lake, "select distinct flow_run_id from runs where step <> 'ledger'")
    return UUID(row["flow_run_id"])


def task_runs(client: SyncPrefectClient, flow_run_id: UUID, wanted: int) -> list[TaskRun]:
    """Return the task runs of a flow run; the server learns of them a moment later."""
    of_run = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[flow_run_id]))

    def found() -> list[TaskRun]:
        return client.read_task_runs(task_run_filter=of_run)

    wait_until(lambda: sum(bool(r.state and r.state.is_final()) for r in found()) >= wanted, 20)
    return found()


def artifacts(client: SyncPrefectClient, flow_run_id: UUID) -> dict[str | None, Artifact]:
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    return {found.key: found for found in client.read_artifacts(artifact_filter=of_run)}


def test_one_readable_task_run_per_step_and_part(
    client: SyncPrefectClient, lake: Lake, flow_run_id: UUID
):
    runs = task_runs(client, flow_run_id, RUNS)
    parts = [row["part"] for row in ask(lake, "select distinct part from samples")]
    expected = {f"{step} {part}" for step in STEPS for part in parts} | SETTLING
    expected |= {f"{step} {WRITER}.{part}" for step in CHAIN_STEPS for part in parts}
    names = Counter(run.name for run in runs)
    assert {name for name in names if " " in name} == expected
    assert len(runs) == RUNS
    assert set(names.values()) == {1}
    assert {run.state_name for run in runs} == {"Completed"}


def test_flow_run_is_completed_and_named_for_its_recipe(
    client: SyncPrefectClient, flow_run_id: UUID
):
    run = client.read_flow_run(flow_run_id)
    assert (run.name, run.state_name) == ("demo", "Completed")


def test_artifacts_show_progress_tables_summary_and_report(
    client: SyncPrefectClient, flow_run_id: UUID, lake: Lake
):
    found = artifacts(client, flow_run_id)
    assert set(found) == set(ARTIFACTS)
    for key, kind in ARTIFACTS.items():
        assert kind is None or found[key].type == kind, key
    assert found["build"].data == 100.0
    funnel = json.loads(str(found["yield-funnel"].data))
    ingested = next(row["n_rows"] for row in funnel if row["stage"] == "ingested")
    assert ingested == count(lake, "select count(*) from samples")
    assert "demo.html" in str(found["report"].data)
    assert f"{RUNS - 2} task runs computed" in str(found["summary"].data)


def test_no_rows_travel_through_prefect(client: SyncPrefectClient, flow_run_id: UUID, lake: Lake):
    question = ask(lake, "select question from samples limit 1")[0]["question"]
    for run in task_runs(client, flow_run_id, RUNS):
        stored = client._client.get(f"/task_runs/{run.id}").text
        assert len(stored) < 20_000, run.name
        assert question not in stored
        metadata = getattr(run.state.data, "storage_block_id", None) if run.state else None
        assert metadata is None
    for artifact in artifacts(client, flow_run_id).values():
        assert question not in str(artifact.data)


class FailsOnce:
    """A source whose first load breaks off, as a network file system may."""

    def __init__(self, source: Source) -> None:
        self._source, self.loads = source, 0

    @property
    def name(self) -> str:
        return self._source.name

    def rows(self) -> Iterator[SourceRow]:
        return self._source.rows()

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        self.loads += 1
        if self.loads == 1:
            msg = "stale file handle"
            raise OSError(msg)
        return self._source.load(rows)


@pytest.mark.usefixtures("prefect_server")
def test_error_that_goes_away_is_retried_after_a_while(tmp_path: Path, client: SyncPrefectClient):
    lake = Lake(tmp_path / "lake")
    source = FailsOnce(open_source("scenes", "demo", {"n": 2}))
    work = IngestWork(source, ImageLimits(), known_rows(lake), part_rows=2)
    (part,) = work.plans

    @flow(name="ingest-alone", persist_result=False)
    def ingest_alone() -> tuple[PartResult, str]:
        from prefect.runtime import flow_run

        future = ingest.submit(part, work, context=RunContext(lake, "demo", "identity"))
        return future.result(), flow_run.get_id()

    started = time.monotonic()
    result, flow_run_id = ingest_alone()
    assert time.monotonic() - started >= 2.0
    assert (result.reused, result.rows) == (False, 10)
    (run,) = task_runs(client, UUID(flow_run_id), 1)
    assert run.run_count == 2
    assert count(lake, "select count(*) from samples") == 8
    assert count(lake, "select count(*) from failures") == 0
