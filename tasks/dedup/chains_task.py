"""Prefect task: chains that say the same about one picture and question, once they are judged."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from infra.catalog.catalog import Catalog
from infra.execution import Output, PartJob, PartResult, Produced, RunContext, run_part
from sightline.provenance import Step
from sightline.schemas import DUPLICATES, RELEASES, TEXT_KEYS, VERDICTS
from tasks.dedup.inputs_task import PICTURES_PART, SAMPLES_PART, inputs_of, rows_of, stands
from tasks.dedup.near import near_duplicates, settled_texts
from tasks.dedup.params import ChainDedupParams
from tasks.dedup.ranks import ranked_chains
from tasks.dedup.rules import chain_rule
from tasks.dedup.stored_memory import StoredMemory
from tasks.dedup.stored_texts import StoredTexts
from tasks.part_task import part_task

STEP = Step(name="dedup_chains", version=1)


@part_task(STEP.name)
def find_same_chains(
    part: str, chain_parts: Sequence[str], params: ChainDedupParams, context: RunContext
) -> PartResult:
    """Return what was done; chains and verdicts that did not change are not compared again.

    Args:
        part: of `duplicates`.
        chain_parts: parts of `steps` that hold chains.
        params: what decides.
        context: of the run.
    """
    lake = context.lake
    verdict_parts = [p.part for p in lake.parts(VERDICTS)]
    release_parts = [p.part for p in lake.parts(RELEASES)]
    job = PartJob(
        step=STEP,
        part=part,
        identity=asdict(params),
        inputs=inputs_of(
            lake,
            {
                TEXT_KEYS: chain_parts,
                VERDICTS: verdict_parts,
                RELEASES: release_parts,
                DUPLICATES: [PICTURES_PART, SAMPLES_PART],
            },
        ),
        outputs=[Output(DUPLICATES, part)],
        rows_in=rows_of(lake, TEXT_KEYS, chain_parts),
    )

    def compute() -> Iterator[Produced]:
        rule, stored = chain_rule(params), StoredTexts(lake, chain_parts)
        with Catalog(lake) as catalog:
            chains, priority = ranked_chains(catalog.query)
        keyed = stored.meeting(stands(lake))
        places = keyed.places(chains)
        texts = keyed.take(places[places >= 0])
        memory = StoredMemory(lake.objects, rule.kind, rule.algorithm)
        settled = settled_texts(texts, priority[places >= 0], stored.compared, rule, memory)
        yield Produced(DUPLICATES, near_duplicates(settled, texts, rule))

    return run_part(context, job, compute)
