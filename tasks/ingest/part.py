"""Ingests one part: loads and decodes on threads, yields bounded chunks in planned order.

Decoders release the interpreter lock, so threads are enough.  Only a few groups are in flight and
pixels are let go on the thread that decoded them, so memory is bounded by encoded bytes.  An image
is stored if this part owns it, it decodes, and a sample here or a row of another part needs it.
Every planned row ends as samples or as a failure; a row has at most one failure per code.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, TypeVar

import pyarrow as pa

from sightline.errors import Failure, clip_detail
from sightline.schemas import FAILURES, IMAGES, SAMPLES
from tasks.ingest.image_facts import ImageFacts, ImageLimits, image_row
from tasks.ingest.oversize import measured
from tasks.ingest.plan import Known, PartPlan
from tasks.ingest.source import LoadedRow, Problem, RowRefusedError, Source, SourceRow
from tasks.ingest.views import samples_of

STEP: Final = "ingest"
CHUNK_BYTES: Final = 32_000_000
CHUNK_ROWS: Final = 1024
GROUPS_AHEAD_PER_THREAD: Final = 2

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class IngestChunk:
    """Payload rows of the three tables, ready for the lake."""

    images: pa.Table
    samples: pa.Table
    failures: pa.Table


@dataclass(slots=True)
class _Rows:
    """Rows that wait to be yielded."""

    images: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    problems: list[tuple[str, Problem]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        n_bytes = sum(row["n_bytes"] for row in self.images)
        n_rows = len(self.samples) + len(self.problems)
        return n_bytes >= CHUNK_BYTES or n_rows >= CHUNK_ROWS

    def chunk(self) -> IngestChunk:
        return IngestChunk(
            IMAGES.rows(self.images), SAMPLES.rows(self.samples), FAILURES.rows(self._failures())
        )

    def _failures(self) -> list[dict[str, Any]]:
        """Return one failure per row and code: the first, with the number of others."""
        grouped: dict[tuple[str, Failure], list[str]] = {}
        for key, problem in self.problems:
            grouped.setdefault((key, problem.code), []).append(problem.detail)
        return [
            {
                "step": STEP,
                "item_id": key,
                "code": code.value,
                "detail": clip_detail(_with_count(details)),
            }
            for (key, code), details in grouped.items()
        ]


def ingest_part(
    source: Source,
    plan: PartPlan,
    limits: ImageLimits,
    known: Known,
    *,
    threads: int = 1,
) -> Iterator[IngestChunk]:
    """Yield the rows of one part; the same plan gives the same rows with any number of threads.

    Args:
        source: where the rows are.
        plan: which rows, and which images to store.
        limits: what an image may be.
        known: what finished parts hold; their images and samples are not written again.
        threads: how many groups are loaded and decoded at once.
    """
    groups = [list(rows) for _, rows in groupby(plan.rows, key=lambda row: row.group_key)]
    written = _Written(set(known.image_ids), set(known.sample_ids))
    waiting = _Rows()
    for group in _in_order(lambda rows: _Group.load(source, rows, limits), groups, threads):
        group.collect(plan, written, waiting)
        if waiting.is_full:
            yield waiting.chunk()
            waiting = _Rows()
    yield waiting.chunk()


@dataclass(frozen=True, slots=True)
class _Written:
    """Ids that must not be written again."""

    image_ids: set[str]
    sample_ids: set[str]


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one image, loaded; `facts` of what is stored by content key."""

    rows: Sequence[SourceRow]
    loaded: Sequence[LoadedRow]
    facts: dict[str, tuple[ImageFacts, ...] | Problem]

    @classmethod
    def load(cls, source: Source, rows: Sequence[SourceRow], limits: ImageLimits) -> "_Group":
        usable = [r for r in rows if r.problem is None and not any(i.problem for i in r.images)]
        loaded = list(source.load(usable)) if usable else []
        facts: dict[str, tuple[ImageFacts, ...] | Problem] = {}
        for image in (image for row in loaded for image in row.images):
            if image.ref.content_key not in facts:
                facts[image.ref.content_key] = measured(image, limits)
        return cls(rows, loaded, facts)

    def collect(self, plan: PartPlan, written: _Written, into: _Rows) -> None:
        into.problems.extend(
            (row.row_key, problem)
            for row in self.rows
            for problem in (row.problem, *(image.problem for image in row.images))
            if problem is not None
        )
        needed = set(plan.shared_images)
        for loaded in self.loaded:
            try:
                samples = self._samples(loaded)
            except RowRefusedError as exc:
                into.problems.append((loaded.row.row_key, exc.problem))
                continue
            for sample in samples:
                if sample["sample_id"] in written.sample_ids:
                    into.problems.append((loaded.row.row_key, _repeated(sample["sample_id"])))
                    continue
                written.sample_ids.add(sample["sample_id"])
                into.samples.append(sample)
                needed.update(image.ref.content_key for image in loaded.images)
        into.images.extend(self._images(plan.owned_images & needed, written))

    def _samples(self, loaded: LoadedRow) -> list[dict[str, Any]]:
        views: list[tuple[ImageFacts, ...]] = []
        for image in loaded.images:
            found = self.facts[image.ref.content_key]
            if isinstance(found, Problem):
                raise RowRefusedError(found.code, found.detail)
            views.append(found)
        return samples_of(loaded, views)

    def _images(
        self, wanted: set[str] | frozenset[str], written: _Written
    ) -> Iterator[dict[str, Any]]:
        for loaded in self.loaded:
            for image in loaded.images:
                views = self.facts[image.ref.content_key]
                if isinstance(views, Problem) or image.ref.content_key not in wanted:
                    continue
                for facts in views:
                    if facts.image_id not in written.image_ids:
                        written.image_ids.add(facts.image_id)
                        yield image_row(facts, image, loaded.statement)


def _repeated(sample_id: str) -> Problem:
    detail = f"the same question on the same image is there already: {sample_id}"
    return Problem(Failure.ROW_DUPLICATED, detail)


def _in_order(work: Callable[[In], Out], items: Iterable[In], threads: int) -> Iterator[Out]:
    """Yield `work(item)` in the order of `items`, with few of them in flight."""
    with ThreadPoolExecutor(threads, thread_name_prefix=STEP) as executor:
        running: deque[Future[Out]] = deque()
        for item in items:
            running.append(executor.submit(work, item))
            if len(running) > threads * GROUPS_AHEAD_PER_THREAD:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _with_count(details: Sequence[str]) -> str:
    return details[0] if len(details) == 1 else f"{details[0]} (and {len(details) - 1} more)"
