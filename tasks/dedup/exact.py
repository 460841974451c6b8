"""Exact duplicates over keys alone: the same pixels, and the same question on the same pixels.

Grouping compares whole keys, never hashes of them.  The result depends neither on the order of
rows nor on parts.  What is *not* a duplicate matters as much: another question on the same image,
a sample without a question, a sample whose images the source does not ship (nothing proves that
two of them are one), and the same question with another answer, which is a conflict to be found by
a view and not a row to be dropped.  Without an answer the boxes are the answer, so they must agree.
Equal bytes never meet here: `images` holds them once, and ingest reports their rows as repeated.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.ids import canonical_json, content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.keys import (
    NULL_CODE,
    Codes,
    decoded,
    list_codes,
    normalise,
    text_codes,
    value_codes,
)

IMAGE_COLUMNS: Final = ("image_id", "pixel_sha", "parent_image_id")
SAMPLE_COLUMNS: Final = ("sample_id", "image_ids", "question", "choices", "answer", "boxes")
"""Columns that are read; reading no more keeps a million rows small."""

IMAGE_PIXELS: Final = "image_pixels"
SAMPLE_EXACT: Final = "sample_exact"
MAX_EVIDENCE_CHARS: Final = 500
READ_ROWS: Final = 4096

_AS_BYTES: Final = {
    "question": pa.large_binary(),
    "answer": pa.large_binary(),
    "choices": pa.list_(pa.large_binary()),
}


def exact_duplicates(images: pa.Table, samples: pa.Table) -> pa.Table:
    """Return `duplicates` payload rows: every member of every cluster of two or more.

    Args:
        images: `IMAGE_COLUMNS`; crops, which have a parent, are left out.
        samples: `SAMPLE_COLUMNS`.
    """
    whole = images.filter(pc.is_null(images["parent_image_id"]))
    rows = [*_image_rows(whole), *_sample_rows(whole, samples)]
    return DUPLICATES.rows(sorted(rows, key=lambda r: (r["method"], r["cluster_id"], r["item_id"])))


def _image_rows(images: pa.Table) -> Iterator[dict[str, Any]]:
    for rows in _clusters(images, [value_codes(images["pixel_sha"], {})]):
        pixels = rows[0]["pixel_sha"]
        ids = [row["image_id"] for row in rows]
        yield from _cluster_rows(ids, "image", IMAGE_PIXELS, pixels, f"pixels {pixels}")


def _sample_rows(images: pa.Table, samples: pa.Table) -> Iterator[dict[str, Any]]:
    pixel_of = dict(
        zip(images["image_id"].to_pylist(), images["pixel_sha"].to_pylist(), strict=True)
    )
    n_images = pc.fill_null(pc.list_value_length(samples["image_ids"]), 0)
    is_asked = pc.and_(pc.greater(n_images, 0), pc.is_valid(samples["question"]))
    asked = samples.filter(is_asked)
    for rows in _clusters(asked, _sample_codes(asked, pixel_of)):
        key = _sample_key(rows[0], pixel_of)
        evidence = f"pixels {', '.join(key[0])}; question {key[1]!r}; answer {key[2]!r}"
        ids = [row["sample_id"] for row in rows]
        yield from _cluster_rows(ids, "sample", SAMPLE_EXACT, canonical_json(key), evidence)


def _sample_codes(samples: pa.Table, pixel_of: dict[str, str]) -> list[Codes]:
    """Return the parts of each sample's key as numbers, one array per part."""
    numbers: dict[str, int] = {}
    picture_of = {i: numbers.setdefault(sha, len(numbers)) for i, sha in pixel_of.items()}
    pictures = value_codes(_items(samples["image_ids"]), picture_of)
    answers = text_codes(samples["answer"])
    boxes = np.full(len(samples), NULL_CODE, dtype=np.int64)
    is_open = answers == NULL_CODE
    boxes[is_open] = _box_codes(samples["boxes"].filter(pa.array(is_open)))
    return [
        list_codes(_lengths(samples["image_ids"]), pictures),
        text_codes(samples["question"]),
        answers,
        list_codes(_lengths(samples["choices"]), text_codes(_items(samples["choices"]))),
        boxes,
    ]


def _sample_key(row: dict[str, Any], pixel_of: dict[str, str]) -> tuple[Any, ...]:
    """Return the key of one sample as content; a cluster's members all have it."""
    answer = _normalised(row["answer"])
    return (
        [pixel_of.get(i, i) for i in row["image_ids"]],
        _normalised(row["question"]),
        answer,
        None if row["choices"] is None else [_normalised(choice) for choice in row["choices"]],
        row["boxes"] if answer is None else None,
    )


def _cluster_rows(
    ids: Sequence[str], kind: str, method: str, key: str, evidence: str
) -> Iterator[dict[str, Any]]:
    """Yield one row per distinct id of a cluster; an id that stands there twice is one item."""
    items = sorted(set(ids))
    if len(items) > 1:
        cluster_id = content_id("cluster", method, key)
        for item in items:
            yield {
                "item_id": item,
                "item_kind": kind,
                "method": method,
                "cluster_id": cluster_id,
                "kept_id": items[0],
                "similarity": 1.0,
                "evidence": evidence[:MAX_EVIDENCE_CHARS],
            }


def _clusters(table: pa.Table, keys: Sequence[Codes]) -> Iterator[list[dict[str, Any]]]:
    """Yield every set of two or more rows that agree in all `keys`, one number per row each."""
    order = np.lexsort(keys)
    is_new = np.ones(len(order) + 1, dtype=bool)
    if len(order):
        is_new[1:-1] = False
    for key in keys:
        ordered = key[order]
        is_new[1:-1] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_new)
    is_member = np.repeat(np.diff(starts) > 1, np.diff(starts))
    rows = _plain_rows(table.take(pa.array(order[is_member])))
    for size in np.diff(starts)[np.diff(starts) > 1]:
        yield [next(rows) for _ in range(size)]


def _plain_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as Python values, text as bytes: it may be no UTF-8."""
    for name, kind in _AS_BYTES.items():
        if name in table.column_names:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table[name].cast(kind))
    for batch in table.to_batches(max_chunksize=READ_ROWS):
        yield from batch.to_pylist()


def _box_codes(boxes: pa.ChunkedArray) -> Codes:
    """Return a number per list of boxes; equal exactly for equal numbers in equal order."""
    numbers: dict[str, int] = {}
    listed = (repr(value) for value in boxes.to_pylist())
    return np.fromiter((numbers.setdefault(v, len(numbers)) for v in listed), np.int64, len(boxes))


def _items(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return all items of a list column, flat and in order."""
    flat = pc.list_flatten(lists)
    return flat if isinstance(flat, pa.ChunkedArray) else pa.chunked_array([flat])


def _lengths(lists: pa.ChunkedArray) -> Codes:
    lengths = pc.fill_null(pc.list_value_length(lists), NULL_CODE)
    result: Codes = lengths.to_numpy().astype(np.int64)
    return result


def _normalised(raw: bytes | None) -> str | None:
    return None if raw is None else normalise(decoded(raw))
