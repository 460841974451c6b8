"""Pictures as a lake stores them, and a benchmark with the gallery of its pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.images.decode import decode
from infra.images.pixels import phash256, pixel_sha
from infra.lake.objects import open_store
from tasks.decontaminate.benchmark import prepare
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.gallery import Gallery, GalleryWriter
from tasks.decontaminate.layout import Columns
from tasks.decontaminate.picture_rows import OurImages
from tasks.decontaminate.rows import BenchmarkFiles
from tasks.decontaminate.rules import rule_book
from tasks.image_keys.worker import ImageKeyWorker

KEY = "benchmarks/b.looks.parquet"


def stored_images(files: Mapping[str, bytes]) -> OurImages:
    """Return files as images of a lake, called by their names: one name, one content."""
    pixels = {name: decode(data).rgb for name, data in files.items()}
    rows = pa.table(
        {
            "image_id": pa.array(list(files), pa.string()),
            "pixel_sha": pa.array([pixel_sha(rgb) for rgb in pixels.values()], pa.string()),
            "phash": pa.array([phash256(rgb) for rgb in pixels.values()], pa.string()),
            "source_key": pa.array(list(files), pa.string()),
            "parent_image_id": pa.nulls(len(files), pa.string()),
        }
    )
    data = pa.array(list(files.values()), pa.binary())
    keys = ImageKeyWorker()(rows.append_column("bytes", data)).table
    return OurImages(rows, keys, lambda wanted: ((n, files[n]) for n in files if n in wanted))


def pictured(
    home: Path,
    path: Path,
    rules: Sequence[str] = (),
    decisions: Sequence[str] = (),
    **more: Any,
) -> Comparison:
    """Return the comparison with a benchmark of files; its gallery lies below `home`."""
    objects = open_store(home)
    writer = GalleryWriter(objects, KEY)
    columns = more.pop("columns", Columns())
    benchmark, _ = prepare(BenchmarkFiles(path, columns), writer)
    writer.finish()
    book = rule_book(rules, decisions)
    return Comparison("b", benchmark, book, gallery=Gallery(objects, KEY), **more)
