"""What embeddings call alike, as task runs: embeddings part by part, then one run per kind.

It comes last and nothing waits for it: it reports and never drops, so neither what is asked nor
what is accepted depends on it.
"""

from flows.dataset_parts import embedding_sources
from flows.schedule import Key, Schedule
from infra.lake.lake import Lake
from infra.pool.workers import Pool
from sightline.schemas import DUPLICATES, EMBEDDINGS
from tasks.asking.live import AskingWork
from tasks.dedup.embedding_sources import STEP as EMBED
from tasks.dedup.embeddings_task import EmbeddingWork, embed_part
from tasks.dedup.semantic.params import Kind, SemanticDedupParams
from tasks.dedup.semantic_task import PART_OF, STEP, find_alike


def submit_semantic(
    params: SemanticDedupParams, schedule: Schedule, pool: Pool, asking: AskingWork | None
) -> None:
    """Embed what the lake holds, report what is alike, and wait for it.

    Args:
        params: what decides.
        schedule: of the run.
        pool: where local weights live.
        asking: opens the endpoint that embeds; null where the recipe names none.
    """
    lake = schedule.context.lake
    drop_orphans(lake)
    for kind in params.kinds:
        encoder = params.encoder(kind)
        work = EmbeddingWork(encoder, pool, asking if encoder.factory is None else None)
        keyed: list[Key] = []
        sources = [*embedding_sources(lake, kind)]
        for source in sources:
            keyed.append(schedule.submit(EMBED.name, embed_part, source.name, source, work))
            schedule.admit(keyed[-1:])
        parts = [source.name for source in sources]
        found = schedule.submit(
            STEP.name, find_alike, PART_OF[kind], kind, parts, params, after=keyed
        )
        schedule.admit([found])
    schedule.drain()


def drop_orphans(lake: Lake) -> None:
    """Remove the embeddings of parts that are gone, and what was found with them."""
    alive = {source.name: kind for kind in Kind for source in embedding_sources(lake, kind)}
    gone = [part.part for part in lake.parts(EMBEDDINGS) if part.part not in alive]
    for part in gone:
        lake.drop(EMBEDDINGS, part)
    if gone:
        for part in PART_OF.values():
            lake.drop(DUPLICATES, part)
