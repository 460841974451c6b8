"""One step on one part: skipped if committed, whole if not, and never half-visible."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    Spend,
    committed_part,
    failed_rows,
    map_on_pool,
    run_part,
)
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from infra.pool.local_pool import LocalPool
from infra.pool.workers import WorkerSpec
from sightline.errors import ContractError, Failure, LakeError
from sightline.provenance import Step
from sightline.schemas import FAILURES, OBJECTS, RELATIONS, RUNS, SEGMENTS, Contract
from tests.factories import commit, payload_of

STEP = Step(name="ground", version=1)
PART = "cub-0123abcd"


class Work:
    """Compute that counts its calls and may fail on the way."""

    def __init__(self, rows: int = 3, error: Exception | None = None) -> None:
        self.rows, self.error, self.calls = rows, error, 0

    def __call__(self) -> Iterator[Produced]:
        self.calls += 1
        for number in range(self.rows):
            yield Produced(OBJECTS, payload_of(OBJECTS, 1, image_id=f"i{number}"))
            yield Produced(RELATIONS, payload_of(RELATIONS, 2, image_id=f"i{number}"))
        if self.error is not None:
            raise self.error
        yield failed_rows(STEP, [("i9", Failure.DEPTH_MISSING, "x" * 900)])


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    lake = Lake(tmp_path / "lake", StorageOptions())
    return RunContext(lake, "demo", "identity", git_tree="tree", flow_run_id="run")


def job(**changes: Any) -> PartJob:
    values: dict[str, Any] = {
        "step": STEP,
        "part": PART,
        "identity": {"erode_px": 2},
        "inputs": ["0" * 15],
        "outputs": [Output(RELATIONS, PART), Output(OBJECTS, PART)],
        "rows_in": 4,
    }
    return PartJob(**(values | changes))


def rows(context: RunContext, contract: Contract) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = context.lake.read(contract).to_pylist()
    return found


def test_part_not_committed_is_computed_with_provenance_failures_and_a_runs_row(
    context: RunContext,
):
    result = run_part(context, job(), Work(), lambda: Spend(5, 2, 0.25))
    assert (result.reused, result.rows, result.failed) == (False, 9, 1)
    fingerprint = job().fingerprint
    run_id = STEP.run_id(PART, fingerprint)
    for contract, count in ((OBJECTS, 3), (RELATIONS, 6)):
        found = rows(context, contract)
        assert len(found) == count
        assert {(r["part"], r["run_id"], r["fingerprint"]) for r in found} == {
            (PART, run_id, fingerprint)
        }
    (failure,) = rows(context, FAILURES)
    assert (failure["part"], failure["item_id"], failure["code"]) == (
        f"ground.{PART}", "i9", "depth_missing",
    )  # fmt: skip
    assert len(failure["detail"]) <= 500
    (run,) = rows(context, RUNS)
    assert run["finished_at"] >= run["started_at"]
    expected = {
        "run_id": run_id, "step": "ground", "step_version": 1, "input_part": PART,
        "recipe": "demo", "recipe_identity": "identity", "git_tree": "tree",
        "flow_run_id": "run", "parameters_json": '{"erode_px":2}', "rows_in": 4, "rows_out": 9,
        "rows_failed": 1, "calls_made": 5, "calls_reused": 2, "cost_usd": 0.25,
    }  # fmt: skip
    assert {name: run[name] for name in expected} == expected


def test_part_committed_with_the_same_fingerprint_is_not_computed(context: RunContext):
    run_part(context, job(), Work())
    again = Work()
    fingerprint = job().fingerprint
    assert run_part(context, job(), again) == PartResult("ground", PART, fingerprint, reused=True)
    assert again.calls == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"identity": {"erode_px": 3}},
        {"inputs": ["1" * 15]},
        {"step": Step(name="ground", version=2)},
    ],
)
def test_part_of_another_identity_replaces_rows_failures_and_run(
    context: RunContext, changed: dict[str, Any]
):
    run_part(context, job(), Work(rows=3))
    run_part(context, job(**changed), Work(rows=1))
    fingerprint = job(**changed).fingerprint
    counts = {c.name: len(rows(context, c)) for c in (OBJECTS, RELATIONS, FAILURES, RUNS)}
    assert counts == {"objects": 1, "relations": 2, "failures": 1, "runs": 1}
    assert rows(context, RUNS)[0]["fingerprint"] == fingerprint


def test_tables_and_row_count_are_no_identity():
    assert job(rows_in=99).fingerprint == job().fingerprint
    assert job(outputs=[Output(OBJECTS, PART)]).fingerprint == job().fingerprint


def test_compute_that_raises_half_way_leaves_nothing_visible_nor_on_disk(
    context: RunContext, tmp_path: Path
):
    with pytest.raises(RuntimeError, match="power"):
        run_part(context, job(), Work(error=RuntimeError("power")))
    for contract in (OBJECTS, RELATIONS, FAILURES, RUNS):
        assert rows(context, contract) == []
    assert list((tmp_path / "lake").rglob("*.parquet")) == []
    assert not run_part(context, job(), Work()).reused


def test_table_the_job_does_not_name_is_refused(context: RunContext):
    with pytest.raises(ContractError, match="segments"):
        run_part(context, job(), lambda: iter([Produced(SEGMENTS, payload_of(SEGMENTS, 1))]))


def test_compute_whose_rows_are_refused_is_ended_though_its_error_is_kept(context: RunContext):
    ended = False

    def compute() -> Iterator[Produced]:
        nonlocal ended
        try:
            yield Produced(SEGMENTS, payload_of(SEGMENTS, 1))
        finally:
            ended = True

    with pytest.raises(ContractError) as kept:
        run_part(context, job(), compute)
    assert ended, kept


def test_rows_that_do_not_fit_the_contract_are_refused(context: RunContext):
    wrong = pa.table({"image_id": ["i1"]})
    with pytest.raises(ContractError):
        run_part(context, job(), lambda: iter([Produced(OBJECTS, wrong)]))
    assert rows(context, OBJECTS) == []


def test_part_without_rows_is_done_too(context: RunContext):
    nothing: Callable[[], Iterator[Produced]] = lambda: iter(())  # noqa: E731
    assert run_part(context, job(), nothing).rows == 0
    assert run_part(context, job(), Work()).reused
    assert len(rows(context, RUNS)) == 1


@pytest.mark.parametrize(
    ("contract", "part"),
    [(FAILURES, f"ground.{PART}"), (RUNS, f"ground.{PART}"), (RELATIONS, PART), (OBJECTS, PART)],
)
def test_part_whose_tables_are_not_all_committed_is_made_whole(
    context: RunContext, contract: Contract, part: str
):
    """A kill between two commits leaves some tables of a part without the others."""
    run_part(context, job(), Work())
    context.lake.drop(contract, part)
    assert not run_part(context, job(), Work()).reused
    counts = {c.name: len(rows(context, c)) for c in (OBJECTS, RELATIONS, FAILURES, RUNS)}
    assert counts == {"objects": 3, "relations": 6, "failures": 1, "runs": 1}


def test_pool_gives_rows_and_a_failure_for_each_bad_one():
    spec = WorkerSpec("tests.infra.test_execution:HalfBlind")
    batches = [pa.table({"image_id": ["a", "bad"]}), pa.table({"image_id": ["bad2"]})]
    with LocalPool() as pool:
        produced = list(map_on_pool(pool, spec, batches, STEP, OBJECTS))
    tables = [(p.contract.name, p.table.num_rows) for p in produced]
    assert tables == [("objects", 1), ("failures", 1), ("failures", 1)]
    assert produced[1].table["item_id"].to_pylist() == ["bad"]
    assert produced[1].table["code"].to_pylist() == ["worker_error"]


class HalfBlind:
    """A worker that cannot see some images."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        ids = batch["image_id"].to_pylist()
        if any(i.startswith("bad") for i in ids):
            msg = "cannot see"
            raise ValueError(msg)
        return payload_of(OBJECTS, len(ids))


def test_committed_part_tells_fingerprint_and_rows(context: RunContext):
    commit(context.lake, SEGMENTS, payload_of(SEGMENTS, 3), part=PART)
    found = committed_part(context.lake, SEGMENTS, PART)
    assert (found.part, found.rows) == (PART, 3)
    assert found.fingerprint == context.lake.committed(SEGMENTS, PART)


def test_committed_part_that_is_not_there_says_which(context: RunContext):
    with pytest.raises(LakeError, match=r"cub-0123abcd.*segments"):
        committed_part(context.lake, SEGMENTS, PART)
