"""Prefect task: images that show one picture, over the whole lake."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.provenance import Step
from sightline.schemas import DUPLICATES, IMAGE_KEYS, IMAGES
from tasks.dedup.image.duplicates import image_duplicates
from tasks.dedup.image.params import PAIR_ALGORITHM
from tasks.dedup.inputs_task import inputs_of, rows_of, stored_images
from tasks.dedup.items import IMAGE_COLUMNS, KEY_COLUMNS, image_items
from tasks.dedup.params import DedupParams
from tasks.part_task import part_task

STEP = Step(name="dedup_images", version=1)


@part_task(STEP.name)
def find_same_pictures(
    part: str, image_parts: Sequence[str], params: DedupParams, context: RunContext
) -> PartResult:
    """Return what was done; unchanged images are not compared again.

    Args:
        part: of `duplicates`.
        image_parts: parts of `images` that sources brought; crops take no part.
        params: what decides.
        context: of the run.
    """
    lake = context.lake
    job = PartJob(
        step=STEP,
        part=part,
        identity={"images": asdict(params.images), "algorithm": PAIR_ALGORITHM},
        inputs=inputs_of(lake, {IMAGES: image_parts, IMAGE_KEYS: image_parts}),
        outputs=[Output(DUPLICATES, part)],
        rows_in=rows_of(lake, IMAGES, image_parts),
    )

    def compute() -> Iterator[Produced]:
        images = lake.read(IMAGES, parts=image_parts, columns=IMAGE_COLUMNS)
        keys = lake.read(IMAGE_KEYS, parts=image_parts, columns=KEY_COLUMNS)
        homes = dict(zip(images["image_id"].to_pylist(), images["part"].to_pylist(), strict=True))
        items = image_items(images, keys)
        found = image_duplicates(items, stored_images(lake, homes), params.images)
        yield Produced(DUPLICATES, found)

    return run_part(context, job, compute)
