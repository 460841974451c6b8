"""Prefect task: samples that ask the same on one picture, before anything is paid for them.

It looks at the whole lake, because a cluster may span any parts; keys come from their own parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from infra.catalog.catalog import Catalog
from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.provenance import Step
from sightline.schemas import DUPLICATES, IMAGES, RELEASES, SAMPLES, TEXT_KEYS
from tasks.dedup.exact import PICTURE_COLUMNS, SAMPLE_COLUMNS, Pictures, sample_duplicates
from tasks.dedup.inputs_task import PICTURES_PART, inputs_of, rows_of, stands
from tasks.dedup.params import DedupParams
from tasks.dedup.ranks import released_samples
from tasks.dedup.rules import question_rule
from tasks.dedup.samples import alike_samples
from tasks.dedup.stored_memory import StoredMemory
from tasks.dedup.stored_texts import StoredTexts
from tasks.part_task import part_task

STEP = Step(name="dedup", version=2)


@part_task(STEP.name)
def find_same_samples(
    part: str, sample_parts: Sequence[str], image_parts: Sequence[str],
    params: DedupParams, context: RunContext,
) -> PartResult:  # fmt: skip
    """Return what was done; unchanged samples are not compared again.

    Args:
        part: of `duplicates`.
        sample_parts: parts of `samples`.
        image_parts: parts of `images` that sources brought.
        params: what decides.
        context: of the run.
    """
    lake, rule = context.lake, question_rule(params)
    keyed = sample_parts if rule else ()
    releases = [p.part for p in lake.parts(RELEASES)]
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params),
        inputs=inputs_of(
            lake,
            {
                SAMPLES: sample_parts,
                TEXT_KEYS: keyed,
                DUPLICATES: [PICTURES_PART],
                RELEASES: releases,
            },
        ),
        outputs=[Output(DUPLICATES, part)],
        rows_in=rows_of(lake, SAMPLES, sample_parts),
    )

    def compute() -> Iterator[Produced]:
        images = lake.read(IMAGES, parts=image_parts, columns=PICTURE_COLUMNS)
        pictures = Pictures.of(images, stands(lake), params.image_bits)
        samples = lake.read(SAMPLES, parts=sample_parts, columns=SAMPLE_COLUMNS)
        with Catalog(lake) as catalog:
            released = released_samples(catalog.query)
        same = sample_duplicates(samples, pictures, params.leaders, released)
        yield Produced(DUPLICATES, same)
        if rule is not None:
            stored = StoredTexts(lake, sample_parts)
            memory = StoredMemory(lake.objects, rule.kind, rule.algorithm)
            texts = stored.meeting(pictures.stands)
            yield Produced(
                DUPLICATES, alike_samples(texts, same, released, (stored.compared, rule, memory))
            )

    return run_part(context, job, compute)
