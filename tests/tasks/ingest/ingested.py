"""Ingests a whole source in memory, the way a build does it part by part."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.schemas import FAILURES, IMAGES, SAMPLES
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.kinds import open_source
from tasks.ingest.part import ingest_part
from tasks.ingest.plan import Known, PartPlan, plan_parts

Picture = Callable[..., bytes]


@dataclass(frozen=True)
class Ingested:
    plans: list[PartPlan]
    images: pa.Table
    samples: pa.Table
    failures: pa.Table

    @property
    def codes(self) -> dict[str, int]:
        return dict(Counter(self.failures["code"].to_pylist()))

    @property
    def names(self) -> list[str | None]:
        return [row.source_key for plan in self.plans for row in plan.rows]

    def known(self) -> Known:
        return Known(
            frozenset(self.samples["row_key"].to_pylist()),
            frozenset(self.failures["item_id"].to_pylist()),
            frozenset(self.images["image_id"].to_pylist()),
            frozenset(self.samples["sample_id"].to_pylist()),
        )


def ingest(
    kind: str,
    options: Mapping[str, Any],
    *,
    known: Known | None = None,
    part_rows: int = 1000,
    threads: int = 2,
    limits: ImageLimits | None = None,
) -> Ingested:
    source, known, limits = (
        open_source(kind, "data", options),
        known or Known(),
        limits or ImageLimits(),
    )
    plans = plan_parts(source.rows(), known, name="data", part_rows=part_rows)
    chunks = [
        chunk
        for plan in plans
        for chunk in ingest_part(source, plan, limits, known, threads=threads)
    ]
    images, samples, failures = (
        pa.concat_tables([contract.empty(), *(getattr(chunk, contract.name) for chunk in chunks)])
        for contract in (IMAGES, SAMPLES, FAILURES)
    )
    return Ingested(plans, images, samples, failures)
