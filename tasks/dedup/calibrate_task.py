"""Prefect task: the cosine threshold of one model for one kind, read from labelled pairs."""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.errors import UsageError
from sightline.provenance import Step
from sightline.schemas import EMBEDDINGS, THRESHOLDS
from tasks.asking.live import Purchase
from tasks.dedup.embeddings_task import EmbeddingWork
from tasks.dedup.semantic.calibration import Threshold, calibrated
from tasks.dedup.semantic.clusters import normalised
from tasks.dedup.semantic.labels import LabelledPairs
from tasks.dedup.semantic.params import Kind
from tasks.part_task import part_task

STEP = Step(name="calibrate", version=1)


def threshold_part(kind: Kind, model: str) -> str:
    """Return the part of `thresholds` of one model."""
    return f"{kind.value}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"


@part_task(STEP.name)
def calibrate_threshold(
    part: str, labelled: LabelledPairs, work: EmbeddingWork, precision: float, context: RunContext
) -> PartResult:
    """Return what was done; the same pairs and model are not embedded again.

    Args:
        part: of `thresholds`.
        labelled: the pairs.
        work: what embeds them.
        precision: wanted share of true duplicates among pairs that reach the threshold.
        context: of the run.

    Raises:
        UsageError: no threshold has that precision.
        TeacherError: the endpoint is unusable, or a cap is reached; what was bought is kept.
    """
    job = PartJob(
        step=STEP,
        part=part,
        identity={"kind": labelled.kind.value, "precision": precision} | work.identity(),
        inputs=[labelled.sha256],
        outputs=[Output(THRESHOLDS, part)],
        rows_in=len(labelled.pairs),
    )
    purchase = None if work.asking is None else Purchase(STEP.name, work.asking, context.progress)

    def compute() -> Iterator[Produced]:
        made = list(work.embedded(labelled.kind, labelled.batches(), purchase))
        yield from (one for one in made if one.contract is not EMBEDDINGS)
        rows = pa.concat_tables(
            [EMBEDDINGS.empty(), *(one.table for one in made if one.contract is EMBEDDINGS)]
        )
        yield Produced(THRESHOLDS, _thresholds(labelled, work.encoder.name, rows, precision))

    return run_part(context, job, compute, None if purchase is None else lambda: purchase.spend)


def _thresholds(labelled: LabelledPairs, model: str, rows: pa.Table, precision: float) -> pa.Table:
    """Return the one `thresholds` row that the pairs with both embeddings support."""
    place = {name: row for row, name in enumerate(rows["item_id"].to_pylist())}
    vectors = normalised(np.asarray(rows["embedding"].to_pylist(), dtype=np.float64))
    pairs = [p for p in labelled.pairs if p.one in place and p.other in place]
    cosines = [_cosine(vectors, place, p.one, p.other) for p in pairs]
    labels = [pair.label for pair in pairs]
    try:
        found: Threshold = calibrated(cosines, labels, precision)
    except ValueError as exc:
        msg = f"{len(pairs)} labelled pairs, {sum(labels)} of them duplicates: {exc}"
        raise UsageError(msg) from exc
    row = {
        "item_kind": labelled.kind.value,
        "model": model,
        "weights_sha": rows["weights_sha"][0].as_py(),
        "cosine": found.cosine,
        "wanted_precision": precision,
        "precision": found.precision,
        "precision_low": found.low,
        "precision_high": found.high,
        "recall": found.recall,
        "n_reached": found.pairs,
        "n_pairs": len(pairs),
        "n_duplicates": sum(labels),
        "pairs_sha256": labelled.sha256,
    }
    return THRESHOLDS.rows([row])


def _cosine(
    vectors: npt.NDArray[np.float32], place: Mapping[str, int], one: str, other: str
) -> float:
    return float((vectors[place[one]].astype(np.float64) * vectors[place[other]]).sum().round(6))
