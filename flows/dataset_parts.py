"""Which parts of the lake belong to a dataset, and what each part's samples need.

Samples may refer to images of other parts (a question appended later on an old image), so what a
part's chains wait for is read from the lake, not assumed.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from infra.lake.lake import Lake
from sightline.schemas import (
    CONTAMINATION,
    DUPLICATES,
    EMBEDDINGS,
    FAILURES,
    GENERATIONS,
    IMAGES,
    SAMPLES,
    STEPS,
    TEXT_KEYS,
    VERDICTS,
    Contract,
)
from tasks.dedup.embedding_sources import EmbeddingSource
from tasks.dedup.params import Decision
from tasks.dedup.semantic.params import Kind
from tasks.distill.live import PartInputs
from tasks.review.kinds import Review

CHAIN_PART: Final = re.compile(r"[a-z0-9-]+\.(?P<samples>[a-z0-9][a-z0-9-]*-[0-9a-f]{8})")
"""Parts of a writer's chains: `<writer>.<part of samples>`; reviews have a longer name."""


@dataclass(frozen=True, slots=True)
class DatasetParts:
    """The parts of one dataset.

    Attributes:
        samples: parts of `samples`.
        images: parts of `images` that hold images of this dataset's source.
    """

    samples: tuple[str, ...]
    images: tuple[str, ...]


def source_parts(lake: Lake, dataset: str | None = None) -> DatasetParts:
    """Return the ingested parts of `dataset`, or of all; crops of chains are no part of them."""
    slug = r"[a-z0-9][a-z0-9-]*" if dataset is None else re.escape(dataset)
    name = re.compile(rf"{slug}-[0-9a-f]{{8}}")
    samples, images = (
        tuple(p.part for p in lake.parts(table) if name.fullmatch(p.part))
        for table in (SAMPLES, IMAGES)
    )
    return DatasetParts(samples, images)


def chain_parts(lake: Lake) -> list[str]:
    """Return the parts of `steps` that hold chains about stored samples."""
    samples = {part.part for part in lake.parts(SAMPLES)}
    found = ((p.part, CHAIN_PART.fullmatch(p.part)) for p in lake.parts(STEPS))
    return [part for part, match in found if match and match["samples"] in samples]


def embedding_sources(lake: Lake, kind: Kind) -> Iterator[EmbeddingSource]:
    """Yield the parts of the lake that hold items of a kind which can be embedded."""
    if kind is Kind.CHAIN:
        for part in chain_parts(lake):
            yield EmbeddingSource(kind, part, part.rpartition(".")[2])
        return
    parts = source_parts(lake)
    names = parts.images if kind is Kind.IMAGE else parts.samples
    yield from (EmbeddingSource(kind, part) for part in names)


def inputs_of(lake: Lake, parts: Iterable[str]) -> dict[str, PartInputs]:
    """Return what the chains of each part are made from."""
    wanted = list(parts)
    everywhere = source_parts(lake).images
    homes = lake.read(IMAGES, parts=everywhere, columns=["image_id", "part"])
    home = dict(zip(homes["image_id"].to_pylist(), homes["part"].to_pylist(), strict=True))
    dropped_ids = _dropped_samples(lake)
    image_parts: dict[str, set[str]] = defaultdict(set)
    dropped: dict[str, set[str]] = defaultdict(set)
    columns = ["sample_id", "image_ids", "part"]
    for batch in lake.scan(SAMPLES, parts=wanted, columns=columns):
        for row in batch.to_pylist():
            image_parts[row["part"]].update(home[i] for i in row["image_ids"] if i in home)
            if row["sample_id"] in dropped_ids:
                dropped[row["part"]].add(row["sample_id"])
    return {
        part: PartInputs(tuple(sorted(image_parts[part])), frozenset(dropped[part]))
        for part in wanted
    }


class Referring:
    """Which parts of samples refer to images of a part; read once, when somebody first asks.

    Samples of every dataset count: an image's facts are the same for all that ask about it.
    """

    def __init__(self, lake: Lake) -> None:
        """Read nothing yet; ask only after ingest."""
        self._lake = lake
        self._lock = threading.Lock()
        self._parts: dict[str, tuple[str, ...]] | None = None

    def __call__(self, image_part: str) -> tuple[str, ...]:
        """Return the parts of samples, sorted."""
        with self._lock:
            if self._parts is None:
                found: dict[str, set[str]] = defaultdict(set)
                inputs = inputs_of(self._lake, source_parts(self._lake).samples)
                for samples, needed in inputs.items():
                    for part in needed.image_parts:
                        found[part].add(samples)
                self._parts = {part: tuple(sorted(found[part])) for part in found}
            return self._parts.get(image_part, ())


WRITTEN = (TEXT_KEYS, EMBEDDINGS, VERDICTS, STEPS, FAILURES, GENERATIONS, IMAGES)
"""Tables with parts of a writer; what others refer to is removed last."""
CHAIN_STEPS = ("distill", "parse", "verify", "text_keys", "embeddings")


def drop_unwanted_chains(
    lake: Lake, samples_parts: Iterable[str], writers: Iterable[str], reviews: Iterable[Review]
) -> None:
    """Remove chains and reviews that the recipe no longer names; the ledger keeps their replies.

    A dataset holds what its recipe says, whatever was built before: otherwise the chains of a
    teacher that was replaced would stay among those of the new one.
    """
    about, steps = frozenset(samples_parts), [*CHAIN_STEPS, *_steps_of(reviews)]
    wanted = {
        head for name in writers for head in (name, f"zoom.{name}", *(f"{s}.{name}" for s in steps))
    }
    for contract in WRITTEN:
        for part in lake.parts(contract):
            head, _, tail = part.part.rpartition(".")
            if tail in about and head not in wanted and _is_of_chains(contract, head):
                lake.drop(contract, part.part)


def _is_of_chains(contract: Contract, head: str) -> bool:
    """Return whether parts `<head>.<part of samples>` of a table come from asking."""
    if contract in (IMAGES, TEXT_KEYS, EMBEDDINGS):
        return head != ""
    step, _, writer = head.partition(".")  # keys and embeddings of samples fail without a writer
    of_writer = writer != "" and step in {*CHAIN_STEPS, *_steps_of(Review)}
    return contract is not FAILURES or of_writer


def _steps_of(reviews: Iterable[Review]) -> list[str]:
    return [step for review in reviews for step in (review.value, review.reading_step)]


def _dropped_samples(lake: Lake) -> set[str]:
    """Return the samples that are not asked about: duplicates, and what a benchmark holds."""
    columns = ["item_id", "item_kind", "kept_id", "decision"]
    duplicates = {
        row["item_id"]
        for row in lake.read(DUPLICATES, columns=columns).to_pylist()
        if row["item_kind"] == "sample"
        and row["item_id"] != row["kept_id"]
        and row["decision"] in {None, Decision.DROP}
    }
    matches = lake.read(CONTAMINATION, columns=["item_id", "item_kind", "decision"]).to_pylist()
    return duplicates | {
        row["item_id"]
        for row in matches
        if row["item_kind"] == "sample" and row["decision"] == Decision.DROP
    }
