"""The new rows of a source, found by comparing its listing with what the lake holds."""

from infra.lake.lake import Lake
from sightline.schemas import FAILURES, IMAGES, SAMPLES
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.part import STEP
from tasks.ingest.plan import Known, PartPlan, plan_parts
from tasks.ingest.source import Source

FAILED = f"{STEP}."
"""`failures` parts of this step begin with its name."""


def known_rows(lake: Lake) -> Known:
    """Return what finished parts hold.

    A part is finished when its samples are committed, even if it has none: they are published
    last.  What a killed build left of other parts does not count and is written again.
    """
    begun = {p.part for p in lake.parts(IMAGES)} | {p.part for p in lake.parts(SAMPLES)}
    failed = {
        p.part.removeprefix(FAILED) for p in lake.parts(FAILURES) if p.part.startswith(FAILED)
    }
    finished = sorted(lake.committed_among(SAMPLES, begun | failed))
    samples = lake.read(SAMPLES, parts=finished, columns=["row_key", "sample_id"])
    images = lake.read(IMAGES, parts=finished, columns=["image_id"])
    failures = lake.read(FAILURES, parts=[FAILED + p for p in finished], columns=["item_id"])
    return Known(
        row_keys=frozenset(samples["row_key"].to_pylist()),
        failed_keys=frozenset(failures["item_id"].to_pylist()),
        image_ids=frozenset(images["image_id"].to_pylist()),
        sample_ids=frozenset(samples["sample_id"].to_pylist()),
    )


class IngestWork:
    """The new rows of a source, by part.

    A plain class: Prefect looks into the fields of dataclasses and collections among a task's
    parameters, which would take minutes on a large listing.
    """

    def __init__(self, source: Source, limits: ImageLimits, known: Known, part_rows: int) -> None:
        self.source, self.limits, self.known = source, limits, known
        plans = plan_parts(source.rows(), known, name=source.name, part_rows=part_rows)
        self.plans: dict[str, PartPlan] = {plan.part: plan for plan in plans}
