"""The calibrate flow: labelled pairs to the cosine from which embeddings may be believed.

The encoder is that of a recipe's `dedup_semantic`.  What is found is a row of `thresholds`; the
next build or deduplication with that encoder takes it, unless its recipe states a threshold.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow
from prefect.runtime import flow_run

from flows.logs import open_logs
from flows.recipe import Recipe, load_recipe
from flows.runtime import RunNames, Runtime, open_runtime
from flows.schedule import Schedule
from infra.execution import PartResult
from infra.lake.lake import Lake
from infra.settings import load_settings
from infra.telemetry import terminal_progress
from sightline.errors import SightlineError
from sightline.schemas import IMAGES, THRESHOLDS
from tasks.dedup.calibrate_task import STEP, calibrate_threshold, threshold_part
from tasks.dedup.embeddings_task import EmbeddingWork
from tasks.dedup.semantic.labels import LabelledPairs, ReadImages, read_pairs
from tasks.dedup.semantic.params import Kind


class CalibrateFailedError(SightlineError):
    """No threshold could be read from the pairs."""


@dataclass(frozen=True, slots=True)
class CalibrateSummary:
    """What the labelled pairs say.

    Attributes:
        threshold: the row of `thresholds`.
        result: of the task run.
    """

    threshold: dict[str, float | int | str | None]
    result: PartResult

    def text(self) -> str:
        """Return the summary for people."""
        row, spend = self.threshold, self.result.spend
        low, wanted = row["precision_low"], row["wanted_precision"]
        is_proven = isinstance(low, float) and isinstance(wanted, float) and low >= wanted
        proof = "proves" if is_proven else "is too small to prove"
        return (
            f"{row['item_kind']} by {row['model']}: cosine {row['cosine']:.4f}, from "
            f"{row['n_pairs']} labelled pairs, {row['n_duplicates']} of them duplicates.\n"
            f"  precision {row['precision']:.3f} (95 %: {low:.3f} to {row['precision_high']:.3f}) "
            f"over {row['n_reached']} pairs; recall {row['recall']:.3f}.\n"
            f"  The sample {proof} a precision of {wanted}. "
            f"{spend.calls_made} embeddings bought for ${spend.cost_usd:.2f}."
        )


@flow(name="calibrate", persist_result=False)
def calibrate(
    pairs: str,
    recipe: str,
    kind: str | None = None,
    precision: float = 0.99,
    lake: str | None = None,
    overrides: list[str] | None = None,
) -> CalibrateSummary:
    """Read a threshold from labelled pairs, store it and return it.

    Args:
        pairs: JSONL file, see `tasks.dedup.semantic.labels`.
        recipe: whose `dedup_semantic` names the encoder.
        kind: `sample`, `chain` or `image`; null where the rows say it.
        precision: wanted share of true duplicates among pairs that reach the threshold.
        lake: folder or `s3://bucket/prefix`; the settings' lake if not given.
        overrides: `dotted.key=value` changes to the recipe.

    Raises:
        UsageError: the recipe, the pairs or a setting is not usable.
        CalibrateFailedError: no threshold reaches the precision, or embedding failed.
    """
    settings = load_settings(lake=lake)
    open_logs(settings)
    loaded = load_recipe(recipe, overrides or [])
    wanted = None if kind is None else Kind(kind)
    with terminal_progress(settings) as progress:
        names = RunNames(flow_run.get_id(), progress)
        with open_runtime(settings, loaded, names) as runtime:
            opened = runtime.context.lake
            labelled = read_pairs(Path(pairs), wanted, _stored_images(opened))
            result = _calibrated(loaded, runtime, labelled, precision)
            stored = opened.read(THRESHOLDS, parts=[result.part]).select(THRESHOLDS.payload.names)
    (row,) = stored.to_pylist()
    return CalibrateSummary(row, result)


def _calibrated(
    recipe: Recipe, runtime: Runtime, labelled: LabelledPairs, precision: float
) -> PartResult:
    encoder = recipe.steps.dedup_semantic.params.encoder(labelled.kind)
    asking = runtime.embedding if encoder.factory is None else None
    work = EmbeddingWork(encoder, runtime.pool, asking)
    schedule = Schedule(runtime.context, runtime.settings.max_parts_in_flight)
    part = threshold_part(labelled.kind, encoder.name)
    key = schedule.submit(STEP.name, calibrate_threshold, part, labelled, work, precision)
    schedule.admit([key])
    schedule.drain()
    if schedule.problems:
        raise CalibrateFailedError(schedule.problems[0])
    return schedule.results[0]


def _stored_images(lake: Lake) -> ReadImages:
    def read(image_ids: list[str]) -> dict[str, bytes]:
        wanted = pc.field("image_id").isin(pa.array(image_ids, pa.string()))
        rows = lake.read(IMAGES, columns=["image_id", "bytes"], where=wanted)
        return dict(zip(rows["image_id"].to_pylist(), rows["bytes"].to_pylist(), strict=True))

    return read
