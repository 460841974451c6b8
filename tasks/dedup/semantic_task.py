"""Prefect task: what embeddings call alike, over the whole lake; reported, never dropped."""

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from infra.lake.lake import Lake
from sightline.provenance import Step
from sightline.schemas import DUPLICATES, EMBEDDINGS, RELEASES, TEXT_KEYS, THRESHOLDS, VERDICTS
from tasks.dedup.alike_items import read_items
from tasks.dedup.inputs_task import (
    CHAINS_PART,
    PICTURES_PART,
    SAMPLES_PART,
    inputs_of,
    rows_of,
)
from tasks.dedup.semantic.evidence import with_guards
from tasks.dedup.semantic.params import ALGORITHM, Kind, Scope, SemanticDedupParams
from tasks.dedup.semantic.report import semantic_report
from tasks.dedup.thresholds import chosen_threshold
from tasks.part_task import part_task

STEP = Step(name="dedup_semantic", version=1)
PART_OF: Final = {kind: f"semantic-{kind.value}s" for kind in Kind}
"""Parts of `duplicates`."""
SETTLED: Final = (PICTURES_PART, SAMPLES_PART, CHAINS_PART)


@part_task(STEP.name)
def find_alike(
    part: str, kind: Kind, embedded: Sequence[str], params: SemanticDedupParams, context: RunContext
) -> PartResult:
    """Return what was done; embeddings that did not change are not compared again.

    Args:
        part: of `duplicates`.
        kind: of the items.
        embedded: parts of `embeddings`.
        params: what decides.
        context: of the run.
    """
    lake = context.lake
    scope = Scope.LAKE if kind is Kind.IMAGE else params.scope
    threshold = chosen_threshold(params, kind, lake.read(THRESHOLDS).to_pylist())
    job = PartJob(
        step=STEP,
        part=part,
        identity={
            "algorithm": ALGORITHM,
            "kind": kind.value,
            "scope": scope.value,
            "threshold": threshold.cosine,
            "threshold_origin": threshold.origin,
            "clusters": params.clusters,
            "iterations": params.iterations,
            "seed": params.seed,
        },
        inputs=_inputs(lake, kind, embedded),
        outputs=[Output(DUPLICATES, part)],
        rows_in=rows_of(lake, EMBEDDINGS, embedded),
    )

    def compute() -> Iterator[Produced]:
        items = read_items(lake, kind, embedded, scope)
        found = semantic_report(
            items.ids,
            items.vectors,
            params.report(kind, threshold.cosine),
            priority=items.priority,
            groups=items.groups,
        )
        yield Produced(DUPLICATES, found if kind is Kind.IMAGE else _explained(lake, found))

    return run_part(context, job, compute)


def _inputs(lake: Lake, kind: Kind, embedded: Sequence[str]) -> list[str]:
    """Return fingerprints of what is read; those of embeddings stand for what they are of."""
    every = {t: [p.part for p in lake.parts(t)] for t in (RELEASES, VERDICTS, TEXT_KEYS)}
    wanted = {EMBEDDINGS: embedded, DUPLICATES: SETTLED, RELEASES: every[RELEASES]}
    if kind is Kind.CHAIN:
        wanted[VERDICTS] = every[VERDICTS]
    if kind is not Kind.IMAGE:
        wanted[TEXT_KEYS] = every[TEXT_KEYS]
    return inputs_of(lake, wanted)


def _explained(lake: Lake, found: pa.Table) -> pa.Table:
    """Return the rows with what the keys of their texts say of numbers, units and negations."""
    reported = pa.concat_arrays([*found["item_id"].chunks, pa.array([], pa.string())])
    keys = lake.read(
        TEXT_KEYS,
        columns=["item_id", "guard_key"],
        where=pc.field("item_id").isin(reported),
    )
    guards = dict(zip(keys["item_id"].to_pylist(), keys["guard_key"].to_pylist(), strict=True))
    return with_guards(found, guards)
