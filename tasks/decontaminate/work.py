"""What comparing the lake with a benchmark consists of: its parts, and what each depends on.

A benchmark's rows are written part by part, one part for every part of the lake that is compared.
What a part depends on is the content of the benchmark, the rules, and the part itself: what came
later, or changed, is compared, and nothing else is again.
"""

import json
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow.compute as pc

from infra.execution import Output, PartJob, Produced, failed_rows
from infra.lake.lake import Lake
from sightline.errors import Failure, LakeError
from sightline.ids import canonical_json
from sightline.provenance import Step
from sightline.schemas import BENCHMARKS, CONTAMINATION, IMAGE_KEYS, IMAGES, SAMPLES, STEPS
from tasks.decontaminate.benchmark import Benchmark, Name, Source, prepare
from tasks.decontaminate.compare import (
    IMAGE_COLUMNS,
    KEY_COLUMNS,
    SAMPLE_COLUMNS,
    STEP_COLUMNS,
    Compared,
    Comparison,
)
from tasks.decontaminate.gallery import Gallery, GalleryWriter
from tasks.decontaminate.matches import PICTURE_ALGORITHM, TEXT_ALGORITHM, VIEW_ALGORITHM
from tasks.decontaminate.picture_rows import OurImages
from tasks.decontaminate.rules import RuleBook
from tasks.decontaminate.targets import Kind, Target
from tasks.ingest.source import Problem

READ: Final = Step(name="read_benchmark", version=1)
COMPARE: Final = Step(name="decontaminate", version=1)
OBJECTS: Final = "benchmarks"
COUNTS: Final = "decontamination"
"""Folders of the lake: prepared benchmarks, and what each comparison counted."""
READ_ROWS: Final = 32
"""Images whose bytes are in memory at once."""
SLUG_CHARS: Final = 40
ID_CHARS: Final = 8


class BenchmarkWork:
    """One benchmark in one lake; a plain class, since Prefect would walk through a dataclass."""

    def __init__(
        self, lake: Lake, name: Name, book: RuleBook, source: Source | None, *, is_own: bool
    ) -> None:
        """Take what the benchmark is; nothing is read yet.

        Args:
            lake: where rows go.
            name: of the benchmark.
            book: the rules.
            source: where it can be read; null if the lake holds it prepared.
            is_own: it is a dataset of the same lake.
        """
        self.lake, self.name, self.book, self.is_own = lake, name, book, is_own
        self._source = source
        self._lock = threading.Lock()
        self._comparison: Comparison | None = None

    @property
    def part(self) -> str:
        """Return the part of `benchmarks`."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.name.lower()).strip("-")[:SLUG_CHARS]
        digest = self.name.benchmark_id.rpartition("_")[2][:ID_CHARS]
        return f"{slug or 'benchmark'}-{digest}"

    @property
    def key(self) -> str:
        """Return the object that holds the prepared benchmark; it is written last."""
        return f"{OBJECTS}/{self.name.benchmark_id}.parquet"

    @property
    def gallery_key(self) -> str:
        """Return the object that says what its pictures look like."""
        return f"{OBJECTS}/{self.name.benchmark_id}.looks.parquet"

    def objects(self) -> list[str]:
        """Return every object of the lake that holds something of the benchmark."""
        stored = self.lake.objects.list(f"{OBJECTS}/{self.name.benchmark_id}.")
        counted = self.lake.objects.list(f"{COUNTS}/{self.part}.")
        return [found.key for found in (*stored, *counted)]

    def part_of(self, target: Target) -> str:
        """Return the part of `contamination` for a part of the lake."""
        return f"{self.part}.{target.kind.value}.{target.part}"

    def counts_key(self, target: Target) -> str:
        """Return the object that says what comparing a part counted."""
        return f"{COUNTS}/{self.part_of(target)}.json"

    def reading(self) -> PartJob:
        """Return the job that writes the row of the benchmark."""
        identity = self._identity() | {"name": self.name.name, "version": self.name.version}
        outputs = [Output(BENCHMARKS, self.part)]
        return PartJob(READ, self.part, identity, [], outputs, rows_in=1)

    def comparing(self, target: Target) -> PartJob:
        """Return the job that compares one part."""
        part = self.part_of(target)
        return PartJob(
            step=COMPARE,
            part=part,
            identity=self._identity() | {"benchmark_id": self.name.benchmark_id},
            inputs=[target.fingerprint],
            outputs=[Output(CONTAMINATION, part)],
            rows_in=target.rows,
        )

    def read(self) -> Iterator[Produced]:
        """Yield the benchmark's row and its failures; the prepared benchmark becomes an object."""
        benchmark, problems = self._prepared()
        facts = Comparison(self.name.benchmark_id, benchmark, self.book).facts()
        row = {
            "benchmark_id": self.name.benchmark_id,
            "name": self.name.name,
            "version": self.name.version,
            "uri": self.name.uri,
            "content_sha": self.name.content_sha,
            "n_items": len(benchmark.items),
            "n_texts": benchmark.n_texts,
            "n_images": len(benchmark.pixels),
            "rules_json": canonical_json(self.book.identity() | facts | {"is_own": self.is_own}),
        }
        yield failed_rows(READ, _failures(self.name, problems))
        yield Produced(BENCHMARKS, BENCHMARKS.rows([row]))

    def compare(self, target: Target) -> Iterator[Produced]:
        """Yield the rows of one part; what was counted becomes an object beside the tables."""
        compared = self._compared(target)
        counts = {"fingerprint": self.comparing(target).fingerprint, "counts": compared.counts}
        self.lake.objects.put(self.counts_key(target), canonical_json(counts).encode())
        yield Produced(CONTAMINATION, compared.rows)

    def counted(self, target: Target) -> Mapping[str, int] | None:
        """Return what comparing a part as it is now counted; null if it was not compared."""
        fingerprint = self.comparing(target).fingerprint
        if not self.lake.is_done(CONTAMINATION, self.part_of(target), fingerprint):
            return None
        try:
            found = json.loads(self.lake.objects.get(self.counts_key(target)))
        except (FileNotFoundError, ValueError):
            return {}
        counts: Mapping[str, int] = found["counts"]
        return counts if found["fingerprint"] == fingerprint else {}

    def _compared(self, target: Target) -> Compared:
        comparison, lake = self._compare_with(), self.lake
        if target.kind is Kind.CHAINS:
            return comparison.chains(lake.read(STEPS, parts=[target.part], columns=STEP_COLUMNS))
        images = self._images(target.pictures)
        if target.kind is Kind.IMAGES:
            return comparison.images(images)
        samples = lake.read(SAMPLES, parts=[target.part], columns=SAMPLE_COLUMNS)
        return comparison.samples(samples, images)

    def _images(self, parts: Sequence[str]) -> OurImages:
        """Return the whole images of some parts, with their keys if views are looked for."""
        lake = self.lake
        images = lake.read(IMAGES, parts=parts, columns=IMAGE_COLUMNS)
        whole = images.filter(pc.is_null(images["parent_image_id"]))
        if not self.book.needs_views:
            return OurImages(whole)
        keys = lake.read(IMAGE_KEYS, parts=parts, columns=KEY_COLUMNS)
        is_whole = pc.is_in(keys["image_id"], value_set=whole["image_id"].combine_chunks())

        def read(wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
            columns = ["image_id", "bytes"]
            for batch in lake.scan(IMAGES, parts=parts, columns=columns, batch_rows=READ_ROWS):
                for row in batch.to_pylist():
                    if row["image_id"] in wanted:
                        yield row["image_id"], row["bytes"]

        return OurImages(whole, keys.filter(is_whole), read)

    def _compare_with(self) -> Comparison:
        with self._lock:
            if self._comparison is None:
                benchmark = self._stored()
                gallery = None
                if self.book.needs_views:
                    gallery = Gallery(self.lake.objects, self.gallery_key)
                self._comparison = Comparison(
                    self.name.benchmark_id,
                    benchmark,
                    self.book,
                    gallery=gallery,
                    is_own=self.is_own,
                )
            return self._comparison

    def _prepared(self) -> tuple[Benchmark, list[tuple[str, Problem]]]:
        """Return the benchmark; where the lake has it prepared, without reading it again."""
        objects = self.lake.objects
        needed = [self.key, *([self.gallery_key] if self.book.needs_views else [])]
        if self._source is None or all(map(objects.exists, needed)):
            benchmark = self._stored()
            return benchmark, _kept_problems(benchmark)
        writer = GalleryWriter(objects, self.gallery_key) if self.book.needs_views else None
        benchmark, problems = prepare(self._source, writer)
        if writer is not None:
            writer.finish()
        objects.put(self.key, benchmark.to_bytes())
        return benchmark, problems

    def _stored(self) -> Benchmark:
        """Return the prepared benchmark.

        Raises:
            LakeError: the lake does not hold it.
        """
        try:
            return Benchmark.from_bytes(self.lake.objects.get(self.key))
        except FileNotFoundError as exc:
            name = f"{self.name.name} {self.name.version}"
            msg = (
                f"expected the texts of {name} at {self.key!r}, found none; name it with --against"
            )
            raise LakeError(msg) from exc

    def _identity(self) -> dict[str, Any]:
        algorithms = [TEXT_ALGORITHM, PICTURE_ALGORITHM]
        algorithms += [VIEW_ALGORITHM] if self.book.needs_views else []
        content = {"content": self.name.content_sha, "is_own": self.is_own}
        return self.book.identity() | content | {"algorithms": algorithms}


def _kept_problems(benchmark: Benchmark) -> list[tuple[str, Problem]]:
    return [
        (row["name"], Problem(Failure(problem.partition(": ")[0]), problem.partition(": ")[2]))
        for row in benchmark.items.select(["name", "problems"]).to_pylist()
        for problem in row["problems"]
    ]


def _failures(
    name: Name, problems: list[tuple[str, Problem]]
) -> Iterator[tuple[str, Failure, str]]:
    """Yield one failure per item and code."""
    seen: set[tuple[str, Failure]] = set()
    for item, problem in problems:
        if (item, problem.code) not in seen:
            seen.add((item, problem.code))
            yield f"{name.name}/{item}", problem.code, problem.detail
