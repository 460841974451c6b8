"""Prefect tasks: what images, questions and chains of one part are compared by.

Keys depend on their own part alone, so an appended part costs its own keys and nothing else.
Small parts are keyed where the flow runs: starting a worker takes longer than their keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import Final

import pyarrow as pa

from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    committed_part,
    map_on_pool,
    run_part,
)
from infra.lake.lake import Part
from infra.pool.local_pool import LocalPool
from infra.pool.workers import Pool, WorkerSpec
from sightline.provenance import Step
from sightline.schemas import IMAGE_KEYS, IMAGES, SAMPLES, STEPS, TEXT_KEYS
from tasks.dedup.key_rows import algorithm_of
from tasks.dedup.texts import QUESTION_COLUMNS, SAMPLE_TEXT_COLUMNS, STEP_COLUMNS, chain_texts
from tasks.image_keys.keys import KEY_ALGORITHM
from tasks.part_task import part_task
from tasks.text_keys.keys import TextKeyParams

IMAGE_STEP = Step(name="image_keys", version=1)
TEXT_STEP = Step(name="text_keys", version=1)

IMAGE_COLUMNS: Final = ("image_id", "bytes", "phash")
IMAGE_BATCH_ROWS: Final = 32
TEXT_BATCH_ROWS: Final = 4096
SMALL_IMAGE_PART: Final = 64
SMALL_TEXT_PART: Final = 4096
"""Rows up to which a part is keyed in place."""

TEXT_WORKER: Final = "tasks.dedup.worker:TextKeyWorker"
IMAGE_WORKER: Final = "tasks.image_keys.worker:ImageKeyWorker"


@part_task(IMAGE_STEP.name)
def key_images(part: str, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part` of `images`; a committed part is not keyed again."""
    lake, source = context.lake, committed_part(context.lake, IMAGES, part)
    job = PartJob(
        step=IMAGE_STEP,
        part=part,
        identity={"algorithm": KEY_ALGORITHM},
        inputs=[source.fingerprint],
        outputs=[Output(IMAGE_KEYS, part)],
        rows_in=source.rows,
    )
    scan = lake.scan(IMAGES, parts=[part], columns=IMAGE_COLUMNS, batch_rows=IMAGE_BATCH_ROWS)
    here = source.rows <= SMALL_IMAGE_PART
    return run_part(
        context, job, lambda: _keyed(pool, WorkerSpec(IMAGE_WORKER), scan, job, here=here)
    )


@part_task(TEXT_STEP.name)
def key_samples(part: str, keys: TextKeyParams, context: RunContext, pool: Pool) -> PartResult:
    """Return what was done for `part` of `samples`; a committed part is not keyed again."""
    lake, source = context.lake, committed_part(context.lake, SAMPLES, part)
    job = _text_job(part, "sample", keys, [source])
    scan = lake.scan(SAMPLES, parts=[part], columns=SAMPLE_TEXT_COLUMNS, batch_rows=TEXT_BATCH_ROWS)
    spec = WorkerSpec(TEXT_WORKER, {"kind": "sample"} | asdict(keys), key="sample_id")
    here = source.rows <= SMALL_TEXT_PART
    return run_part(context, job, lambda: _keyed(pool, spec, scan, job, here=here))


@part_task(TEXT_STEP.name)
def key_chains(
    part: str, samples_part: str, keys: TextKeyParams, context: RunContext, pool: Pool
) -> PartResult:
    """Return what was done for `part` of `steps`; a committed part is not keyed again.

    Args:
        part: of `steps`: one writer's chains.
        samples_part: of `samples`: what they are about.
        keys: how texts are keyed.
        context: of the run.
        pool: where workers live.
    """
    sources = [
        committed_part(context.lake, table, name)
        for table, name in ((STEPS, part), (SAMPLES, samples_part))
    ]
    job = _text_job(part, "chain", keys, sources)
    spec = WorkerSpec(TEXT_WORKER, {"kind": "chain"} | asdict(keys), key="item_id")
    here = sources[0].rows <= SMALL_TEXT_PART

    def compute() -> Iterator[Produced]:
        texts = chain_texts(
            context.lake.read(STEPS, parts=[part], columns=STEP_COLUMNS),
            context.lake.read(SAMPLES, parts=[samples_part], columns=QUESTION_COLUMNS),
        )
        batches = (pa.Table.from_batches([b]) for b in texts.to_batches(TEXT_BATCH_ROWS))
        return _keyed(pool, spec, batches, job, here=here)

    return run_part(context, job, compute)


def _text_job(part: str, kind: str, keys: TextKeyParams, sources: Sequence[Part]) -> PartJob:
    return PartJob(
        step=TEXT_STEP,
        part=part,
        identity={"kind": kind, "algorithm": algorithm_of(keys)},
        inputs=[source.fingerprint for source in sources],
        outputs=[Output(TEXT_KEYS, part)],
        rows_in=sources[0].rows,
    )


def _keyed(
    pool: Pool, spec: WorkerSpec, batches: Iterable[pa.Table], job: PartJob, *, here: bool
) -> Iterator[Produced]:
    """Yield what workers make of `batches`, in this process if `here`."""
    (output,) = job.outputs
    with ExitStack() as stack:
        at = stack.enter_context(closing(LocalPool())) if here else pool
        yield from map_on_pool(at, spec, batches, job.step, output.contract)
