"""Deduplication as task runs: keys part by part, then one run per kind over the whole lake.

Builds and the flow `dedup` share this, so a lake that one has settled is settled for the other.
What a settling run waits for is what it reads: if keys of a part fail, nothing is decided, and what
was decided before stays.
"""

from typing import Final

from flows.dataset_parts import CHAIN_PART, chain_parts, source_parts
from flows.schedule import Key, Schedule
from infra.lake.lake import Lake
from infra.pool.workers import Pool
from sightline.schemas import DUPLICATES, IMAGE_KEYS, TEXT_KEYS
from tasks.dedup.chains_task import find_same_chains
from tasks.dedup.images_task import find_same_pictures
from tasks.dedup.inputs_task import CHAINS_PART, PICTURES_PART, SAMPLES_PART
from tasks.dedup.keys_task import key_chains, key_images, key_samples
from tasks.dedup.params import ChainDedupParams, DedupParams, QuestionTier
from tasks.dedup.rules import text_keys_of
from tasks.dedup.task import find_same_samples

RETIRED_PARTS: Final = ("exact",)
"""Parts of `duplicates` that version 1 of the step wrote, images and samples in one."""


def submit_sources(params: DedupParams, schedule: Schedule, pool: Pool) -> bool:
    """Key and settle the images and samples of the whole lake; return whether that succeeded."""
    lake = schedule.context.lake
    parts = source_parts(lake)
    drop_orphans(lake)
    keyed: list[Key] = []
    for part in parts.images:
        keyed.append(schedule.submit("image_keys", key_images, part, pool=pool))
        schedule.admit(keyed[-1:])
    pictures = schedule.submit(
        "dedup_images", find_same_pictures, PICTURES_PART, parts.images, params, after=keyed
    )
    schedule.admit([pictures])
    worded = parts.samples if params.questions is not QuestionTier.IGNORE else ()
    for part in worded:
        key = schedule.submit("text_keys", key_samples, part, text_keys_of(params), pool=pool)
        keyed.append(key)
        schedule.admit([key])
    samples = (parts.samples, parts.images, params)
    settled = schedule.submit(
        "dedup", find_same_samples, SAMPLES_PART, *samples, after=[*keyed, pictures]
    )
    schedule.admit([settled])
    schedule.drain()
    return schedule.is_done(settled)


def submit_chain_keys(
    params: ChainDedupParams, schedule: Schedule, part: str, pool: Pool, after: list[Key]
) -> Key:
    """Submit the keys of one part of chains; return their run."""
    found = CHAIN_PART.fullmatch(part)
    samples_part = part if found is None else found["samples"]
    keys = text_keys_of(params)
    return schedule.submit(
        "text_keys", key_chains, part, samples_part, keys, after=after, pool=pool
    )


def submit_chains(params: ChainDedupParams, schedule: Schedule, pool: Pool) -> None:
    """Key and settle the chains of the whole lake, and wait for it."""
    drop_orphans(schedule.context.lake)
    parts = chain_parts(schedule.context.lake)
    if not parts:
        return
    keyed: list[Key] = []
    for part in parts:
        keyed.append(submit_chain_keys(params, schedule, part, pool, []))
        schedule.admit(keyed[-1:])
    settled = schedule.submit(
        "dedup_chains", find_same_chains, CHAINS_PART, parts, params, after=keyed
    )
    schedule.admit([settled])
    schedule.drain()


def drop_orphans(lake: Lake) -> None:
    """Remove the keys of parts that are gone, and decisions of parts that no step writes."""
    parts = source_parts(lake)
    alive = {IMAGE_KEYS: {*parts.images}, TEXT_KEYS: {*parts.samples, *chain_parts(lake)}}
    for contract, names in alive.items():
        for part in lake.parts(contract):
            if part.part not in names:
                lake.drop(contract, part.part)
    for retired in RETIRED_PARTS:
        lake.drop(DUPLICATES, retired)
