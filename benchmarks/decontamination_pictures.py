"""Which changed pictures are found in a benchmark, and which other pictures are taken for them.

    python benchmarks/decontamination_pictures.py [--data FOLDER] [--most 60]

A benchmark of real pictures (photos; charts and documents) is prepared as `sightline decontaminate`
does.  Ours are one changed copy of each: re-encoded, resized, cut to 80-90 %, mirrored, turned; and
the other way round, whole pictures of which the benchmark shows a part.  Recall is the share of
copies matched with their own original by any picture rule.  A false positive is a match of another
original; beside them every second picture stays out of the benchmark and is compared cut to
80-90 %: what of those matches is false too.  One core, CPU seconds; one JSON object; a missed goal
ends with status 1.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_pictures.collections import CHARTS, DOCUMENTS, PHOTOS, pictures
from benchmarks.dedup_pictures.transforms import COPIES, Transform
from benchmarks.measuring.machine import machine
from infra.images.decode import decode
from infra.images.pixels import encode_png, phash256, pixel_sha
from infra.lake.objects import open_store
from sightline.ids import image_id
from tasks.decontaminate.benchmark import prepare
from tasks.decontaminate.compare import Comparison
from tasks.decontaminate.gallery import Gallery, GalleryWriter
from tasks.decontaminate.picture_rows import OurImages
from tasks.decontaminate.rows import BenchmarkFiles
from tasks.decontaminate.rules import rule_book
from tasks.image_keys.worker import ImageKeyWorker

ROOT: Final = Path(__file__).resolve().parents[1]
DATA: Final = Path(os.environ.get("SIGHTLINE_TEST_DATA", ROOT.parent / "shared" / "data"))
CHANGES: Final = ("half size", "JPEG 30", "crop 80-90 %", "flip", "turn by 90")
CROP: Final = COPIES["crop 80-90 %"]
GOAL: Final = 0.90
RULES: Final = ("image_pixels", "image_phash", "image_crop", "image_flip")
KEY: Final = "benchmarks/b.looks.parquet"
Files = Mapping[str, bytes]


def main() -> None:
    """Measure both kinds of pictures and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--most", type=int, default=60, help="Pictures per kind.")
    given = parser.parse_args()
    kinds = {
        "photos": [given.data / name for name in PHOTOS],
        "charts and documents": [given.data / name for name in (*CHARTS, *DOCUMENTS)],
    }
    found = {kind: measured(pictures(where, given.most)) for kind, where in kinds.items()}
    missed = [
        f"{kind}, {name}"
        for kind, results in found.items()
        for name, result in results["changes"].items()
        if result["found"] < GOAL
    ]
    names = ("opencv-python-headless", "simplejpeg", "numba", "numpy")
    print(json.dumps({"machine": machine(*names), "kinds": found, "missed": missed}, indent=2))
    sys.exit(bool(missed))


def measured(files: Files) -> dict[str, Any]:
    """Return what is found of every change, and what is wrong."""
    names = list(files)
    held, others = names[::2], names[1::2]
    with tempfile.TemporaryDirectory() as home:
        comparison, kept = benchmark_of(Path(home) / "whole", {n: files[n] for n in held})
        changes = {
            name: found_copies(comparison, {n: files[n] for n in held}, COPIES[name])
            for name in CHANGES
        }
        cut = {n: encode_png(p) for n, p in changed(files, held, CROP).items()}
        parts, _ = benchmark_of(Path(home) / "parts", cut)
        whole = stored_images({n: files[n] for n in held})
        changes["the benchmark shows 80-90 % of ours"] = scored(parts, whole, held)
        foreign = {n: encode_png(p) for n, p in changed(files, others, CROP).items()}
        strangers = matches(comparison, stored_images(foreign))
    return {
        "benchmark_pictures": len(held),
        "copy_kb": round(kept / 1000 / len(held), 1),
        "changes": changes,
        "pictures_not_in_it": len(foreign),
        "pairs_with_them": len(foreign) * len(held),
        "of_them_matched": dict(list(strangers.items())[:5]),
        "matched": len(strangers),
    }


def benchmark_of(home: Path, files: Files) -> tuple[Comparison, int]:
    """Return a prepared benchmark of a folder of pictures, and the bytes of its small copies."""
    (home / "exam").mkdir(parents=True)
    for number, data in enumerate(files.values()):
        (home / "exam" / f"{number}").with_suffix(".png").write_bytes(data)
    rows = [
        json.dumps({"id": name, "question": "?", "image": f"{number}.png"})
        for number, name in enumerate(files)
    ]
    (home / "exam" / "exam.jsonl").write_text("\n".join(rows))
    objects = open_store(home)
    writer = GalleryWriter(objects, KEY)
    benchmark, problems = prepare(BenchmarkFiles(home / "exam" / "exam.jsonl"), writer)
    writer.finish()
    if problems:
        msg = f"expected readable pictures, found {problems[:3]}"
        raise ValueError(msg)
    kept = sum(found.size for found in objects.list("benchmarks/b.looks/"))
    gallery = Gallery(objects, KEY)
    return Comparison("b", benchmark, rule_book(RULES), gallery=gallery), kept


def changed(files: Files, names: list[str], transform: Transform) -> dict[str, Any]:
    """Return changed pixels by name."""
    rng = np.random.default_rng(5)
    made = {n: transform.change(decode(files[n]).rgb, rng) for n in names}
    return {n: rgb for n, rgb in made.items() if rgb is not None}


def found_copies(comparison: Comparison, files: Files, transform: Transform) -> dict[str, Any]:
    """Return what became of one copy of every picture."""
    copies = {n: encode_png(p) for n, p in changed(files, list(files), transform).items()}
    return scored(comparison, stored_images(copies), list(copies))


def scored(comparison: Comparison, ours: OurImages, names: list[str]) -> dict[str, Any]:
    """Return the share found by rule, matches with another original, and the CPU time."""
    began = time.process_time()
    found = matches(comparison, ours)
    seconds = time.process_time() - began
    right = {n: rule for n, (rule, item) in found.items() if n == item}
    by_rule = {r: round(list(right.values()).count(r) / len(names), 3) for r in RULES}
    return {
        "found": round(len(right) / len(names), 3),
        "by_rule": {rule: share for rule, share in by_rule.items() if share},
        "with_another": len(found) - len(right),
        "cpu_ms_per_picture": round(1000 * seconds / len(names), 1),
    }


def matches(comparison: Comparison, ours: OurImages) -> dict[str, tuple[str, str]]:
    """Return rule and item of the first match of every picture."""
    columns = (ours.rows[name].to_pylist() for name in ("image_id", "source_key"))
    names = dict(zip(*columns, strict=True))
    rows = comparison.images(ours).rows.to_pylist()
    order = sorted(rows, key=lambda row: -RULES.index(row["rule"]))
    return {names[row["item_id"]]: (row["rule"], row["benchmark_item"]) for row in order}


def stored_images(files: Files) -> OurImages:
    """Return files as images of a lake, with their keys; an id is of the content, as in a lake."""
    ids = {image_id(data): data for data in files.values()}
    pixels = {name: decode(data).rgb for name, data in files.items()}
    rows = pa.table(
        {
            "image_id": [image_id(data) for data in files.values()],
            "pixel_sha": [pixel_sha(rgb) for rgb in pixels.values()],
            "phash": [phash256(rgb) for rgb in pixels.values()],
            "source_key": list(files),  # tells a copy's original
            "parent_image_id": pa.nulls(len(files), pa.string()),
        }
    )
    data = pa.array(list(files.values()), pa.binary())
    keys = ImageKeyWorker()(rows.append_column("bytes", data)).table
    return OurImages(rows, keys, lambda wanted: ((i, ids[i]) for i in wanted))


if __name__ == "__main__":
    main()
