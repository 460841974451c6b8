"""Prefect task: the embeddings of one part, made by local weights or bought from an endpoint.

Embeddings depend on their own part alone, so an appended part costs its own.  What an endpoint
gave is in the ledger before its row counts: a part that is embedded again costs nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from infra.checkpoints import resolve
from infra.execution import (
    Output,
    PartJob,
    PartResult,
    Produced,
    RunContext,
    failed_rows,
    map_on_pool,
    run_part,
)
from infra.pool.workers import Pool, WorkerSpec
from sightline.schemas import EMBEDDINGS
from tasks.asking.live import AskingWork, Purchase
from tasks.dedup.embedding_sources import KEY_OF, STEP, EmbeddingSource
from tasks.dedup.semantic.live import asked_rows, bought_embeddings
from tasks.dedup.semantic.params import Encoder, Kind
from tasks.dedup.semantic.rows import items_of
from tasks.part_task import part_task


class EmbeddingWork:
    """What embeds items of one kind; a plain class, so that Prefect does not look inside.

    Attributes:
        encoder: local weights or an endpoint's model.
        pool: where local weights live.
        asking: opens the endpoint's teacher and bounds what is asked at once.
    """

    def __init__(self, encoder: Encoder, pool: Pool, asking: AskingWork | None) -> None:
        self.encoder, self.pool, self.asking = encoder, pool, asking

    def identity(self) -> dict[str, Any]:
        """Return what decides an embedding besides what it is of.

        Raises:
            CheckpointError: the weights are missing or incomplete.
        """
        if self.encoder.factory is None:
            return {"model": self.encoder.name} | dict(self.encoder.options)
        return dict(self.encoder.options) | {"weights_sha": resolve(self.encoder.name).weights_sha}

    def embedded(
        self, kind: Kind, batches: Iterable[pa.Table], purchase: Purchase | None
    ) -> Iterator[Produced]:
        """Yield `embeddings` rows, and a failure per item without one.

        Args:
            kind: of the items.
            batches: as `EmbeddingSource.batches` gives them.
            purchase: pays, where an endpoint is asked.
        """
        if self.encoder.factory is not None:
            spec = WorkerSpec(self.encoder.factory, dict(self.encoder.options), KEY_OF[kind])
            yield from map_on_pool(self.pool, spec, batches, STEP, EMBEDDINGS)
        elif purchase is not None:
            items = [item for batch in batches for item in items_of(batch)]
            for found in bought_embeddings(purchase, items, self.encoder):
                yield Produced(EMBEDDINGS, asked_rows(found, self.encoder))
                if failed := [asked.failure for asked in found if asked.vector is None]:
                    yield failed_rows(STEP, failed)


@part_task(STEP.name)
def embed_part(
    part: str, source: EmbeddingSource, work: EmbeddingWork, context: RunContext
) -> PartResult:
    """Return what was done for one part; a committed one is neither embedded nor bought again.

    Args:
        part: of `embeddings`.
        source: what it is of.
        work: what embeds it.
        context: of the run.

    Raises:
        CheckpointError: the weights are missing or incomplete; nothing was read.
        TeacherError: the endpoint is unusable, or a cap is reached; what was bought is kept.
    """
    inputs = source.inputs(context.lake)
    job = PartJob(
        step=STEP,
        part=part,
        identity={"kind": source.kind.value} | work.identity(),
        inputs=[found.fingerprint for found in inputs],
        outputs=[Output(EMBEDDINGS, part)],
        rows_in=inputs[0].rows,
    )
    purchase = None if work.asking is None else Purchase(STEP.name, work.asking, context.progress)

    def compute() -> Iterator[Produced]:
        return work.embedded(source.kind, source.batches(context.lake), purchase)

    if purchase is None:
        return run_part(context, job, compute)
    return run_part(context, job, compute, lambda: purchase.spend)
