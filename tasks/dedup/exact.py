"""Samples that ask the same: one statement of question and answer on one picture.

Grouping compares whole keys, never hashes of them.  The result depends neither on the order of
rows nor on parts.  What is *not* a duplicate matters as much: another question on the same image,
a sample without a question, a sample whose images the source does not ship (nothing proves that
two of them are one), and the same question with another answer, which is a conflict to be found by
a view and not a row to be dropped.  Without an answer the boxes are the answer, so they must agree.

One picture is the same pixels, or a perceptual hash within so many bits.  Clusters of images only
say which samples to look at: a sample is dropped for one whose own images were compared with its.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
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
from tasks.dedup.params import HASH_BITS, Decision

PICTURE_COLUMNS: Final = ("image_id", "pixel_sha", "phash")
SAMPLE_COLUMNS: Final = ("sample_id", "image_ids", "question", "choices", "answer", "boxes")
"""Columns that are read; reading no more keeps a million rows small."""

SAMPLE_EXACT: Final = "sample_exact"
SAMPLE_SAME_PICTURE: Final = "sample_same_picture"
ALGORITHMS: Final = {
    SAMPLE_EXACT: "normalised-statement-v1",
    SAMPLE_SAME_PICTURE: "normalised-statement-phash256-v1",
}
MAX_EVIDENCE_CHARS: Final = 500
READ_ROWS: Final = 4096

_AS_BYTES: Final = {
    "question": pa.large_binary(),
    "answer": pa.large_binary(),
    "choices": pa.list_(pa.large_binary()),
}


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is known of the images that samples refer to; an unknown image is only itself.

    Fields:
        stands: the image that stands for an image, where it is another one.
        pixel_of: sha256 of the pixels by image.
        phash_of: perceptual hash by image, 64 hex characters; null if it has none.
        max_bits: most bits in which the hashes of one picture differ.
    """

    stands: Mapping[str, str]
    pixel_of: Mapping[str, str]
    phash_of: Mapping[str, str | None]
    max_bits: int

    @classmethod
    def of(cls, images: pa.Table, stands: Mapping[str, str], max_bits: int) -> "Pictures":
        """Return what `images`, which have `PICTURE_COLUMNS`, say."""
        ids, pixels, hashes = (images[name].to_pylist() for name in PICTURE_COLUMNS)
        by_pixels = dict(zip(ids, pixels, strict=True))
        return cls(stands, by_pixels, dict(zip(ids, hashes, strict=True)), max_bits)

    def pixels(self, images: Sequence[str]) -> list[str]:
        """Return what tells each image's pixels."""
        return [self.pixel_of.get(image, image) for image in images]

    def bits_apart(self, one: Sequence[str], two: Sequence[str]) -> int:
        """Return the most bits in which two lists of images differ at one place."""
        pairs = zip(one, two, self.pixels(one), self.pixels(two), strict=True)
        return max(0 if here == there else self._bits(i, j) for i, j, here, there in pairs)

    def _bits(self, one: str, two: str) -> int:
        hashes = self.phash_of.get(one), self.phash_of.get(two)
        if hashes[0] is None or hashes[1] is None:
            return HASH_BITS
        return (int(hashes[0], 16) ^ int(hashes[1], 16)).bit_count()


def sample_duplicates(
    samples: pa.Table,
    pictures: Pictures,
    leaders: int,
    released: AbstractSet[str] = frozenset(),
) -> pa.Table:
    """Return `duplicates` payload rows: every member of every cluster of two or more.

    Args:
        samples: `SAMPLE_COLUMNS`.
        pictures: which images show the same.
        leaders: kept samples of a statement that a further one is compared with.
        released: samples to keep before others.
    """
    n_images = pc.fill_null(pc.list_value_length(samples["image_ids"]), 0)
    is_asked = pc.and_(pc.greater(n_images, 0), pc.is_valid(samples["question"]))
    asked = samples.filter(is_asked)
    rows: list[dict[str, Any]] = []
    for members in _clusters(asked, _sample_codes(asked, pictures.stands)):
        rows += _settled(members, pictures, leaders, released)
    return DUPLICATES.rows(sorted(rows, key=lambda r: (r["method"], r["cluster_id"], r["item_id"])))


def _settled(
    members: Sequence[dict[str, Any]],
    pictures: Pictures,
    leaders: int,
    released: AbstractSet[str],
) -> Iterator[dict[str, Any]]:
    """Yield the rows of samples that say the same on what may be one picture."""
    by_id = {row["sample_id"]: row for row in members}
    kept: list[dict[str, Any]] = []
    shown: set[tuple[str, str]] = set()
    for name in sorted(by_id, key=lambda n: (n not in released, n)):
        row = by_id[name]
        leader = _leader(row, kept[:leaders], pictures)
        if leader is None:
            kept.append(row)
            continue
        dropped = _row(row, leader, pictures)
        if (leader["sample_id"], dropped["method"]) not in shown:
            shown.add((leader["sample_id"], dropped["method"]))
            yield _row(leader, leader, pictures) | {
                name: dropped[name] for name in ("method", "cluster_id", "algorithm")
            }
        yield dropped


def _leader(
    row: dict[str, Any], kept: Sequence[dict[str, Any]], pictures: Pictures
) -> dict[str, Any] | None:
    """Return the first kept sample on the same picture."""
    for leader in kept:
        if pictures.bits_apart(row["image_ids"], leader["image_ids"]) <= pictures.max_bits:
            return leader
    return None


def _row(row: dict[str, Any], leader: dict[str, Any], pictures: Pictures) -> dict[str, Any]:
    pixels = pictures.pixels(leader["image_ids"])
    is_same = pictures.pixels(row["image_ids"]) == pixels
    method = SAMPLE_EXACT if is_same else SAMPLE_SAME_PICTURE
    bits = pictures.bits_apart(row["image_ids"], leader["image_ids"])
    key = _sample_key(leader, pixels)
    seen = (
        f"pixels {', '.join(pixels)}" if is_same else f"pictures {bits} of {HASH_BITS} bits apart"
    )
    evidence = f"{seen}; question {key[1]!r}; answer {key[2]!r}"
    return {
        "item_id": row["sample_id"],
        "item_kind": "sample",
        "method": method,
        "cluster_id": content_id("cluster", method, canonical_json(key)),
        "kept_id": leader["sample_id"],
        "similarity": 1.0 - bits / HASH_BITS,
        "evidence": evidence[:MAX_EVIDENCE_CHARS],
        "decision": Decision.DROP.value,
        "algorithm": ALGORITHMS[method],
    }


def _sample_codes(samples: pa.Table, stands: Mapping[str, str]) -> list[Codes]:
    """Return the parts of each sample's key as numbers, one array per part."""
    numbers: dict[str, int] = {}
    for image, kept in stands.items():
        numbers[image] = numbers.setdefault(kept, len(numbers))
    pictures = value_codes(_items(samples["image_ids"]), numbers)
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


def _sample_key(row: dict[str, Any], pixels: Sequence[str]) -> tuple[Any, ...]:
    """Return the key of one sample as content."""
    answer = _normalised(row["answer"])
    return (
        list(pixels),
        _normalised(row["question"]),
        answer,
        None if row["choices"] is None else [_normalised(choice) for choice in row["choices"]],
        row["boxes"] if answer is None else None,
    )


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
