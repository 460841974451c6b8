"""Opens benchmarks to compare a lake with, and lists the parts of the lake that are compared."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.dataset_parts import inputs_of, source_parts
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.arrow_files import is_s3, normalise_uri
from sightline.errors import UsageError
from sightline.schemas import BENCHMARKS, IMAGES, SAMPLES, STEPS
from tasks.decontaminate.benchmark import VERSION_HEX_CHARS, Name, Source, content_sha
from tasks.decontaminate.lake_items import LakeItems
from tasks.decontaminate.layout import Columns
from tasks.decontaminate.rows import BenchmarkFiles
from tasks.decontaminate.rules import RuleBook, stored_book
from tasks.decontaminate.targets import Kind, Target
from tasks.decontaminate.work import BenchmarkWork


@dataclass(frozen=True, slots=True)
class Stored:
    """What the lake says of a benchmark.

    Attributes:
        work: how it is compared.
        n_items: items read.
        n_texts: texts among them.
        n_images: images among them.
        said: algorithms, templates, and what cannot be compared.
    """

    work: BenchmarkWork
    n_items: int
    n_texts: int
    n_images: int
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Against:
    """A benchmark as a user names it.

    Attributes:
        path: a data file, a folder of data files or images, or a lake.
        name: what it is called; else the name of the file, folder or dataset.
        version: what it says of itself; else the start of its content's hash.
        dataset: of a lake, compare with this dataset alone.
        text_columns: the column of the question, then those of other texts.
        image_columns: columns of images.
        images: folder that image names are relative to; else that of the file.
    """

    path: str
    name: str | None = None
    version: str | None = None
    dataset: str | None = None
    text_columns: tuple[str, ...] = ()
    image_columns: tuple[str, ...] = ()
    images: str | None = None


def open_benchmark(
    lake: Lake, storage: StorageOptions, against: Against, book: RuleBook
) -> BenchmarkWork:
    """Return a benchmark that was read once to know what it is; its pictures are not decoded yet.

    Raises:
        SourceError: it cannot be read, or its columns mean nothing.
        UsageError: an option does not go with it.
    """
    source = open_source(storage, against)
    sha = content_sha(source.items())
    called = against.name or against.dataset or Path(against.path.rstrip("/")).stem
    name = Name(called, against.version or sha[:VERSION_HEX_CHARS], sha, source.uri)
    is_own = _is_lake(against.path) and normalise_uri(against.path) == lake.uri
    return BenchmarkWork(lake, name, book, source, is_own=is_own)


def open_source(storage: StorageOptions, against: Against) -> Source:
    """Return where a benchmark is read; its files and columns are known, its items not yet.

    Raises:
        SourceError: there is nothing to read, or its columns mean nothing.
        UsageError: an option does not go with it.
    """
    columns = Columns(tuple(against.text_columns), tuple(against.image_columns))
    if _is_lake(against.path):
        if columns != Columns() or against.images is not None:
            msg = "--text-column, --image-column and --images go with files, and "
            msg += f"{against.path!r} is a lake"
            raise UsageError(msg)
        return LakeItems(Lake(against.path, storage), against.dataset)
    if against.dataset is not None:
        msg = f"--dataset goes with a lake, and {against.path!r} is none"
        raise UsageError(msg)
    images = None if against.images is None else Path(against.images)
    return BenchmarkFiles(Path(against.path), columns, images)


def stored_benchmarks(lake: Lake) -> list[Stored]:
    """Return the benchmarks that the lake was compared with before, with the rules of then."""
    rows = lake.read(BENCHMARKS).sort_by([("name", "ascending"), ("benchmark_id", "ascending")])
    return [_stored(lake, row) for row in rows.to_pylist()]


def targets(lake: Lake, *, is_own: bool) -> list[Target]:
    """Return every part of the lake that is compared, in a stable order.

    Args:
        lake: that is compared.
        is_own: the benchmark is part of it, so pictures are compared by sample.
    """
    parts = source_parts(lake)
    found = list(_parts_of(lake, Kind.IMAGES, parts.images)) if not is_own else []
    inputs = inputs_of(lake, parts.samples)
    for target in _parts_of(lake, Kind.SAMPLES, parts.samples):
        images = tuple(inputs[target.part].image_parts)
        found.append(Target(target.kind, target.part, target.fingerprint, target.rows, images))
    return found + list(_parts_of(lake, Kind.CHAINS, None))


def _parts_of(lake: Lake, kind: Kind, wanted: tuple[str, ...] | None) -> Iterator[Target]:
    contract = {Kind.SAMPLES: SAMPLES, Kind.CHAINS: STEPS, Kind.IMAGES: IMAGES}[kind]
    for part in lake.parts(contract):
        if wanted is None or part.part in wanted:
            yield Target(kind, part.part, part.fingerprint, part.rows)


def _stored(lake: Lake, row: Mapping[str, Any]) -> Stored:
    name = Name(row["name"], row["version"], row["content_sha"], row["uri"])
    stored = json.loads(row["rules_json"])
    work = BenchmarkWork(lake, name, stored_book(stored), None, is_own=stored["is_own"])
    said = {key: stored[key] for key in ("algorithms", "templates", "not_compared")}
    return Stored(work, row["n_items"], row["n_texts"], row["n_images"], said)


def _is_lake(path: str) -> bool:
    return is_s3(path) or (Path(path) / SAMPLES.path / "_delta_log").is_dir()
