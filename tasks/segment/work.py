"""Segments of what was asked about: boxes of detections, or of samples, joined to their images.

Which prompts there are is part of the identity, by content: a part is computed again if and only if
its boxes changed, whatever run or new sample brought them.  Images without a box are not decoded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc

from infra.annotation import ImageStep, image_batches, with_weights
from infra.checkpoints import resolve
from infra.execution import (
    Output,
    PartJob,
    PartResult,
    RunContext,
    committed_part,
    map_on_pool,
    run_part,
)
from infra.lake.lake import Lake
from infra.pool.workers import Pool, WorkerSpec
from sightline.boxes import Box, area, clip, px_to_frac
from sightline.provenance import fingerprint_of
from sightline.schemas import DETECTIONS, IMAGES, SAMPLES
from tasks.segment.families import Prompts, check_prompts, family_of
from tasks.segment.params import SegmentParams
from tasks.segment.prompting import PROMPTS_COLUMN, Prompt, PromptKind
from tasks.vision.published import config_of

Asked = Mapping[str, Sequence[Prompt]]
"""Prompts by image id, in their order."""

SAMPLE_COLUMNS = ("sample_id", "image_ids", "image_width", "image_height", "boxes")


def segment_prompts(
    part: str,
    wanted: ImageStep,
    params: SegmentParams,
    run: tuple[RunContext, Pool],
    samples: Sequence[str],
) -> PartResult:
    """Return what was done for `part` of `images`; a committed part is not computed again.

    Args:
        part: of `images`.
        wanted: the step.
        params: whose `prompts` are detections or samples.
        run: where rows go and where workers live.
        samples: parts of `samples` that refer to images of `part`.

    Raises:
        CheckpointError: the weights are missing, incomplete, or take no prompts.
        LakeError: detections are asked for and `part` has none committed.
    """
    context, pool = run
    lake, parameters = context.lake, asdict(params)
    source = committed_part(lake, IMAGES, part)
    checkpoint = resolve(params.weights)
    check_prompts(
        family_of(config_of(checkpoint.folder), params.weights), params.prompts, params.weights
    )
    if params.prompts is Prompts.DETECTIONS:
        asked = detections_asked(lake, part)
    else:
        asked = samples_asked(lake, part, samples)
    rows = {image: [prompt.as_row() for prompt in prompts] for image, prompts in asked.items()}
    sums = {"weights_sha": checkpoint.weights_sha, "asked": fingerprint_of(rows)}
    job = PartJob(
        step=wanted.step,
        part=part,
        identity=parameters | sums,
        inputs=[source.fingerprint],
        outputs=[Output(wanted.contract, part)],
        rows_in=source.rows,
    )
    spec = WorkerSpec(wanted.factory, parameters)
    batches = prompted(image_batches(lake, part, pool.placement), asked)
    return run_part(
        context,
        job,
        lambda: with_weights(
            checkpoint, map_on_pool(pool, spec, batches, wanted.step, wanted.contract)
        ),
    )


def detections_asked(lake: Lake, part: str) -> Asked:
    """Return the detections of a part as prompts, best first.

    Raises:
        LakeError: `part` has no committed detections.
    """
    committed_part(lake, DETECTIONS, part)
    columns = ["image_id", "detection_id", "label", "box"]
    found = lake.read(DETECTIONS, parts=[part], columns=columns)
    asked: dict[str, list[Prompt]] = {}
    for row in found.sort_by(
        [("image_id", "ascending"), ("detection_id", "ascending")]
    ).to_pylist():
        x0, y0, x1, y1 = row["box"]
        prompt = Prompt(
            PromptKind.DETECTION, str(row["detection_id"]), row["label"], (x0, y0, x1, y1)
        )
        asked.setdefault(row["image_id"], []).append(prompt)
    return asked


def samples_asked(lake: Lake, part: str, samples: Sequence[str]) -> Asked:
    """Return the boxes of samples as prompts, in the order of the samples' ids.

    A box that several samples share is asked about once, for the first of them.
    """
    images = set(lake.read(IMAGES, parts=[part], columns=["image_id"])["image_id"].to_pylist())
    first: dict[str, dict[Box, str]] = {}
    for batch in lake.scan(SAMPLES, parts=list(samples), columns=list(SAMPLE_COLUMNS)):
        for row in batch.to_pylist():
            image = next(iter(row["image_ids"]), "")  # boxes are those of the first image
            if image not in images:
                continue
            known = first.setdefault(image, {})
            for box in _fractions(row["boxes"], row["image_width"], row["image_height"]):
                known[box] = min(row["sample_id"], known.get(box, row["sample_id"]))
    return {
        image: [
            Prompt(PromptKind.SAMPLE, sample, None, box)
            for sample, box in sorted((sample, box) for box, sample in boxes.items())
        ]
        for image, boxes in sorted(first.items())
        if boxes
    }


def _fractions(boxes: Sequence[Sequence[float]] | None, width: int, height: int) -> Iterator[Box]:
    for x0, y0, x1, y1 in boxes or ():
        box = clip(px_to_frac((x0, y0, x1, y1), width, height))
        if area(box) > 0:
            yield box


def prompted(batches: Iterable[pa.Table], asked: Asked) -> Iterator[pa.Table]:
    """Yield the images that something is asked about, with what it is."""
    wanted = pa.array(sorted(asked), pa.string())
    for batch in batches:
        kept = batch.filter(pc.is_in(batch["image_id"], value_set=wanted))
        if kept.num_rows:
            prompts = [
                [prompt.as_row() for prompt in asked[image]]
                for image in kept["image_id"].to_pylist()
            ]
            yield kept.append_column(PROMPTS_COLUMN, pa.array(prompts, PROMPTS_COLUMN.type))
