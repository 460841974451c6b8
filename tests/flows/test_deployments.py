"""The commands of prefect.yaml as typed: server, work pool, deploy, worker; and a schedule."""

import json
import logging
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect import flow
from prefect.artifacts import Artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run
from prefect.states import StateType

from flows.logs import open_logs
from infra.lake.lake import Lake
from infra.prefect_api.server import ApiSession
from infra.settings import load_settings
from tests.flows.site import TINY
from tests.isolation import fresh_environment

pytestmark = pytest.mark.server

COMMAND_TIMEOUT_S = 120
SECRET = "sk-not-to-be-seen-anywhere-0123"  # noqa: S105 - made up


@dataclass(frozen=True)
class Desk:
    """Where the commands are typed: the repository, with an environment of its own."""

    root: Path
    folder: Path
    environment: dict[str, str]

    def type(self, *command: str) -> str:
        """Run a command without a terminal and return what it prints."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def client(prefect_server: ApiSession) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        assert str(opened.api_url).rstrip("/") == prefect_server.url
        yield opened


@pytest.fixture(scope="module")
def desk(
    prefect_server: ApiSession, repo_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Desk:
    """Everything is deployed: `prefect work-pool create` and `prefect deploy --all`."""
    folder = tmp_path_factory.mktemp("desk")
    environment = fresh_environment(folder, folder / "lake") | {
        "PREFECT_API_URL": prefect_server.url,
        "PREFECT_HOME": str(folder / "prefect"),
        "SIGHTLINE_POOL": "local",
        "SIGHTLINE_TEACHER_API_KEY": SECRET,
    }
    desk = Desk(repo_root, folder, environment)
    desk.type("prefect", "work-pool", "create", "sightline", "--type", "process")
    desk.type("prefect", "deploy", "--all")
    return desk


@pytest.fixture(scope="module")
def demo_run(desk: Desk, client: SyncPrefectClient) -> FlowRun:
    """One run of the demo's deployment, small, by a worker."""
    overrides = f"overrides={json.dumps(list(TINY))}"
    desk.type("prefect", "deployment", "run", "visreason/demo", "--param", overrides)
    (queued,) = runs_of(client, "demo")
    desk.type("prefect", "worker", "start", "--pool", "sightline", "--run-once")
    return client.read_flow_run(queued.id)


def deployment(client: SyncPrefectClient, name: str) -> Any:
    (found,) = client.read_deployments(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name]))
    )
    return found


def runs_of(client: SyncPrefectClient, name: str) -> list[FlowRun]:
    wanted = FlowRunFilterDeploymentId(any_=[deployment(client, name).id])
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=wanted))


def artifacts_of(client: SyncPrefectClient, run: UUID) -> dict[str, Artifact]:
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    return {str(a.key): a for a in client.read_artifacts(artifact_filter=wanted, limit=100)}


@pytest.mark.usefixtures("desk")
def test_deploy_all_registers_what_prefect_yaml_says(client: SyncPrefectClient, repo_root: Path):
    declared = yaml.safe_load((repo_root / "prefect.yaml").read_text())["deployments"]
    for each in declared:
        found = deployment(client, each["name"])
        assert found.entrypoint == each["entrypoint"]
        assert found.work_pool_name == "sightline"
        crons = [schedule.schedule.cron for schedule in found.schedules]
        assert crons == [schedule["cron"] for schedule in each["schedules"]]
        limit = found.global_concurrency_limit
        assert (limit.limit if limit else None) == each.get("concurrency_limit", {}).get("limit")


@pytest.mark.usefixtures("desk")
def test_deployments_run_in_the_folder_they_were_deployed_from(
    client: SyncPrefectClient, repo_root: Path
):
    (step,) = deployment(client, "demo").pull_steps
    assert list(step.values()) == [{"directory": str(repo_root.resolve())}]


def test_worker_run_completes_with_one_task_run_per_step_and_part(
    demo_run: FlowRun, desk: Desk, client: SyncPrefectClient
):
    assert demo_run.state is not None
    assert demo_run.state.type is StateType.COMPLETED, demo_run.state.message
    task_runs = client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[demo_run.id]))
    )
    steps = [run.name.split()[0] for run in task_runs]
    for step in ("ingest", "depth", "segment", "ground", "distill", "parse", "verify"):
        assert steps.count(step) == 2, step
    assert Lake(desk.folder / "lake").uri in str(artifacts_of(client, demo_run.id)["summary"].data)


def test_worker_run_publishes_its_artifacts(demo_run: FlowRun, client: SyncPrefectClient):
    found = artifacts_of(client, demo_run.id)
    teacher = {"teacher", "teacher-calls", "teacher-cost", "teacher-latency"}
    tables = {"yield-funnel", "duplicate-tiers", "failures-by-code", "checks"}
    assert set(found) == teacher | tables | {"build", "summary", "report"}
    funnel = json.loads(str(found["yield-funnel"].data))
    assert all(row["n_rows"] > 0 for row in funnel[:1]), funnel
    assert float(found["build"].data) == pytest.approx(100.0)


def test_worker_run_shows_the_steps_own_log_lines_and_no_secret(
    demo_run: FlowRun, client: SyncPrefectClient
):
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[demo_run.id]))
    logs = client.read_logs(log_filter=wanted, limit=200)
    ours = [log for log in logs if log.name == "infra.execution"]
    assert any(log.message.startswith("depth ") and log.task_run_id for log in ours)
    assert any(log.message.startswith("verify ") for log in ours)
    everything = [log.message for log in logs]
    everything += [str(a.data) for a in artifacts_of(client, demo_run.id).values()]
    everything += [demo_run.model_dump_json(), deployment(client, "demo").model_dump_json()]
    assert not [text for text in everything if SECRET in text]


@pytest.mark.usefixtures("desk")
def test_active_schedules_have_runs_waiting_and_inactive_ones_none(client: SyncPrefectClient):
    until = time.monotonic() + 60
    active, inactive = ("checks", "maintenance"), ("visreason", "batches", "collect")
    while time.monotonic() < until:
        waiting = {name: runs_of(client, name) for name in (*active, *inactive)}
        if waiting["checks"] and waiting["maintenance"]:
            break
        time.sleep(0.5)
    assert all(run.state_type is StateType.SCHEDULED for run in waiting["checks"])
    hours = {run.expected_start_time.strftime("%H:%M") for run in waiting["checks"]}
    assert hours == {"05:30"}
    assert {run.expected_start_time.strftime("%a") for run in waiting["maintenance"]} == {"Sun"}
    assert not any(waiting[name] for name in inactive)


def test_schedule_that_is_due_is_run_by_the_worker(
    demo_run: FlowRun, desk: Desk, client: SyncPrefectClient
):
    assert demo_run.state_type is StateType.COMPLETED
    mine = ("flows.operations:check_lake", "--name", "often", "--pool", "sightline")
    desk.type("prefect", "deploy", *mine, "--interval", "10")
    until = time.monotonic() + 60
    while not runs_of(client, "often") and time.monotonic() < until:
        time.sleep(0.5)
    desk.type("prefect", "worker", "start", "--pool", "sightline", "--run-once")
    done = [run for run in runs_of(client, "often") if run.state_type is StateType.COMPLETED]
    client.delete_deployment(deployment(client, "often").id)
    assert done
    assert all(run.auto_scheduled for run in done)


def test_own_log_line_with_a_secret_reaches_the_page_without_it(client: SyncPrefectClient):
    @flow(name="talks")
    def talks() -> str:
        open_logs(load_settings(teacher_api_key=SECRET))
        logging.getLogger("infra.execution").info("the key is %s", SECRET)
        return str(flow_run.get_id())

    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(talks())]))
    APILogHandler().flush()
    lines = [log.message for log in client.read_logs(log_filter=wanted)]
    assert [line for line in lines if line.startswith("the key is")]
    assert not [line for line in lines if SECRET in line]
