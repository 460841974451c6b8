"""Run one step on one part: check the fingerprint, compute, stage, publish, record.

Every step goes through `run_part`, so skip, provenance, failures and the `runs` row are one
mechanism.  Tables of a part are published in the order they refer to each other, the step's main
table last.  A part counts as done only if *every* table holds its fingerprint: a kill between two
commits, followed by a build with older parameters, must not pass for done.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa

from infra.lake.files import PartWriter, StagedPart
from infra.lake.lake import Lake, Part
from infra.pool.workers import Pool, WorkerSpec
from infra.telemetry import NullProgress, Progress
from sightline.errors import ContractError, Failure, LakeError, clip_detail
from sightline.ids import canonical_json
from sightline.provenance import Step
from sightline.schemas import FAILURES, RUNS, Contract

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run is told once: where its rows go and what its `runs` rows say."""

    lake: Lake
    recipe: str
    recipe_identity: str
    git_tree: str | None = None
    flow_run_id: str | None = None
    progress: Progress = field(default_factory=NullProgress)


@dataclass(frozen=True, slots=True)
class Output:
    """A table a step writes, and the part it writes there."""

    contract: Contract
    part: str


@dataclass(frozen=True, slots=True)
class Produced:
    """Some payload rows of one table, streamed out of a step."""

    contract: Contract
    table: pa.Table


@dataclass(frozen=True, slots=True)
class PartJob:
    """One step on one part.

    Attributes:
        step: what is done.
        part: the input part's name.
        identity: JSON-like parameters that decide the output.
        inputs: fingerprints of the parts read.
        outputs: tables written, the main one last; `failures` and `runs` are implied.
        rows_in: rows of the input, for progress and `runs`.
    """

    step: Step
    part: str
    identity: Mapping[str, Any]
    inputs: Sequence[str]
    outputs: Sequence[Output]
    rows_in: int

    @property
    def fingerprint(self) -> str:
        """Return what decides the output of this job, hashed."""
        return self.step.fingerprint(dict(self.identity), self.inputs)


@dataclass(frozen=True, slots=True)
class Spend:
    """What a job bought and what it got from the ledger for nothing."""

    calls_made: int = 0
    calls_reused: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class PartResult:
    """What Prefect sees of a job; its rows stay in the lake."""

    step: str
    part: str
    fingerprint: str
    reused: bool
    rows: int = 0
    failed: int = 0
    seconds: float = 0.0
    spend: Spend = Spend()


def run_part(
    context: RunContext,
    job: PartJob,
    compute: Callable[[], Iterable[Produced]],
    spend: Callable[[], Spend] | None = None,
) -> PartResult:
    """Return the result of `job`, computing it only if the lake does not hold it yet.

    Args:
        context: lake and provenance.
        job: what to do.
        compute: yields payload rows of the job's outputs and of `FAILURES`, in bounded chunks.
        spend: asked once after `compute`, for steps that pay.

    Raises:
        ContractError: `compute` produced rows that do not fit, or a table the job does not name.
        LakeError: the lake could not be written.
    """
    if is_committed(context, job):
        context.progress.part_done(job.step.name, rows=job.rows_in, reused=True)
        return PartResult(job.step.name, job.part, job.fingerprint, reused=True)
    (result,) = _run(context, [job], lambda: _numbered(compute()), spend)
    return result


def run_parts(
    context: RunContext,
    jobs: Sequence[PartJob],
    compute: Callable[[], Iterable[tuple[int, Produced]]],
) -> list[PartResult]:
    """Return the results of several steps whose rows are made in one go.

    None of them is committed yet: `is_committed` tells.  Each is published on its own; progress is
    that of the first, because the runs of the others report when they find theirs committed.

    Args:
        context: lake and provenance.
        jobs: what to do.
        compute: yields the number of a job and payload rows of it.

    Raises:
        ContractError: `compute` produced rows that do not fit, or a table the job does not name.
        LakeError: the lake could not be written.
    """
    return _run(context, jobs, compute, None)


def is_committed(context: RunContext, job: PartJob) -> bool:
    """Tell whether the lake holds every table of `job`."""
    tables = reversed(_tables(job))
    return all(context.lake.is_done(o.contract, o.part, job.fingerprint) for o in tables)


def _run(
    context: RunContext,
    jobs: Sequence[PartJob],
    compute: Callable[[], Iterable[tuple[int, Produced]]],
    spend: Callable[[], Spend] | None,
) -> list[PartResult]:
    context.progress.part_begun(jobs[0].step.name, rows=jobs[0].rows_in)
    started, clock = datetime.now(UTC), time.perf_counter()
    with ExitStack() as stack:
        stagings = [_Staging(context.lake, job, stack) for job in jobs]
        for number, produced in _closed_with(stack, compute()):
            stagings[number].write(produced)
        spent = spend() if spend else Spend()
        facts = [_RunFacts(started, dict(staging.counts), spent) for staging in stagings]
        staged = [_finished(context, *of_job) for of_job in zip(jobs, stagings, facts, strict=True)]
    for parts in staged:
        for contract, part in parts:
            context.lake.publish(contract, [part])
    seconds = time.perf_counter() - clock
    failed = facts[0].failed
    context.progress.part_done(jobs[0].step.name, rows=jobs[0].rows_in, failed=failed)
    return [_result(job, of_job, seconds) for job, of_job in zip(jobs, facts, strict=True)]


def _finished(
    context: RunContext, job: PartJob, staging: "_Staging", facts: "_RunFacts"
) -> list[tuple[Contract, StagedPart]]:
    """Write the `runs` row; return the staged parts in the order of publication."""
    staging.write(Produced(RUNS, _run_row(context, job, facts)))
    return [(output.contract, staging.finish(output)) for output in _tables(job)]


def _result(job: PartJob, facts: "_RunFacts", seconds: float) -> PartResult:
    _log.info(
        "%s %s: %d rows, %d failed, %.1f s",
        job.step.name, job.part, facts.rows, facts.failed, seconds,
    )  # fmt: skip
    return PartResult(
        step=job.step.name,
        part=job.part,
        fingerprint=job.fingerprint,
        reused=False,
        rows=facts.rows,
        failed=facts.failed,
        seconds=seconds,
        spend=facts.spent,
    )


def _numbered(rows: Iterable[Produced]) -> Iterator[tuple[int, Produced]]:
    """Yield `rows` as those of the one job; ends them when it is ended."""
    with ExitStack() as stack:
        for produced in _closed_with(stack, rows):
            yield 0, produced


def _closed_with(stack: ExitStack, rows: Iterable[T]) -> Iterable[T]:
    """Return `rows`, which end with `stack`: a kept traceback would keep them, and what they hold.

    What asks a teacher holds places that other parts wait for.
    """
    close = getattr(rows, "close", None)
    if close is not None:
        stack.callback(close)
    return rows


def _tables(job: PartJob) -> list[Output]:
    """Return every table a job writes, in the order of publication."""
    shared = f"{job.step.name}.{job.part}"
    return [Output(FAILURES, shared), Output(RUNS, shared), *job.outputs]


class _Staging:
    """One staged part per table of a job; nothing is visible before it is published."""

    def __init__(self, lake: Lake, job: PartJob, stack: ExitStack) -> None:
        self._fingerprint = fingerprint = job.fingerprint
        self._run_id = job.step.run_id(job.part, fingerprint)
        self._parts = {o.contract.name: o.part for o in _tables(job)}
        self._writers: dict[str, PartWriter] = {
            o.contract.name: stack.enter_context(lake.stage(o.contract, o.part, fingerprint))
            for o in _tables(job)
        }
        self.counts = dict.fromkeys(self._writers, 0)

    def write(self, produced: Produced) -> None:
        """Add payload rows of one table.

        Raises:
            ContractError: the job does not name the table, or the rows do not fit.
        """
        contract = produced.contract
        if contract.name not in self._writers:
            msg = f"expected rows of {sorted(self._writers)}, found rows of {contract.name!r}"
            raise ContractError(msg)
        part, writer = self._parts[contract.name], self._writers[contract.name]
        writer.write(
            contract.with_provenance(
                produced.table, part=part, run_id=self._run_id, fingerprint=self._fingerprint
            )
        )
        self.counts[contract.name] += produced.table.num_rows

    def finish(self, output: Output) -> StagedPart:
        """Return the staged part of one table."""
        return self._writers[output.contract.name].finish()


@dataclass(frozen=True, slots=True)
class _RunFacts:
    """What a `runs` row says of the work itself."""

    started: datetime
    counts: Mapping[str, int]
    spent: Spend

    @property
    def failed(self) -> int:
        return self.counts[FAILURES.name]

    @property
    def rows(self) -> int:
        return sum(self.counts.values()) - self.failed


def _run_row(context: RunContext, job: PartJob, facts: _RunFacts) -> pa.Table:
    row = {
        "step": job.step.name,
        "step_version": job.step.version,
        "input_part": job.part,
        "recipe": context.recipe,
        "recipe_identity": context.recipe_identity,
        "git_tree": context.git_tree,
        "flow_run_id": context.flow_run_id,
        "parameters_json": canonical_json(dict(job.identity)),
        "started_at": facts.started,
        "finished_at": datetime.now(UTC),
        "rows_in": job.rows_in,
        "rows_out": facts.rows,
        "rows_failed": facts.failed,
        "calls_made": facts.spent.calls_made,
        "calls_reused": facts.spent.calls_reused,
        "cost_usd": facts.spent.cost_usd,
    }
    return RUNS.rows([row])


def map_on_pool(
    pool: Pool, spec: WorkerSpec, batches: Iterable[pa.Table], step: Step, contract: Contract
) -> Iterator[Produced]:
    """Yield what workers make of `batches`: rows of `contract`, and a failure per bad row."""
    for result in pool.map(spec, batches):
        if result.table.num_rows:
            yield Produced(contract, result.table)
        if result.failed:
            yield failed_rows(step, [(f.item_id, f.code, f.detail) for f in result.failed])


def failed_rows(step: Step, rows: Iterable[tuple[str, Failure, str]]) -> Produced:
    """Return `failures` rows of `step` for (item id, code, detail)."""
    return Produced(
        FAILURES,
        FAILURES.rows(
            {"step": step.name, "item_id": item, "code": code.value, "detail": clip_detail(detail)}
            for item, code, detail in rows
        ),
    )


def committed_part(lake: Lake, contract: Contract, part: str) -> Part:
    """Return the committed part that a step reads.

    Raises:
        LakeError: it is not committed; the step before it did not finish.
    """
    fingerprint = lake.committed(contract, part)
    if fingerprint is None:
        msg = f"expected part {part!r} of {contract.name} to be committed; run the build again"
        raise LakeError(msg)
    rows = sum(file.rows for file in lake.snapshot(contract).of_parts([part]))
    return Part(contract.name, part, fingerprint, rows)
