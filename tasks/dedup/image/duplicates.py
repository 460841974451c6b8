"""Image clusters as `duplicates` rows: equal pixels, near pHash, other tones, crops and flips.

    rows = image_duplicates(items, read, ImageParams())
    kept = picture_of(rows)          # image_id -> the image that stands for its picture

Equal pixels, near pHashes and changed tones say "the same picture" and may drop.  A crop moves
every box and a flip swaps left and right, so those are reported only.  Each tier looks at what the
tier before it kept, and a row names the image that it was compared with, never one further on.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sightline.ids import content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.image.leaders import KEPT, Nearness, led
from tasks.dedup.image.near_views import view_candidates
from tasks.dedup.image.params import PAIR_ALGORITHM, ImageParams
from tasks.dedup.image.pictures import Pictures, ReadBytes
from tasks.dedup.image.retoned import retoned_pairs
from tasks.dedup.image.view_pairs import ViewPair, view_pairs
from tasks.image_keys.hashes import MIN_VIEW_ONES, PHASH_BITS, phash_words
from tasks.image_keys.views import VIEW_NAMES

__all__ = ["ITEM_COLUMNS", "ReadBytes", "image_duplicates", "picture_of"]

ITEM_COLUMNS: Final = ("image_id", "pixel_sha", "phash", "view_hashes", "view_names", "is_photo")
"""Columns of one whole image, `images` joined with `image_keys`, in order of priority."""

IMAGE_PIXELS: Final = "image_pixels"
IMAGE_PHASH: Final = "image_phash"
IMAGE_TONES: Final = "image_tones"
IMAGE_CROP: Final = "image_crop"
IMAGE_FLIP: Final = "image_flip"
VIEW_BITS: Final = 64
_DROP, _REPORT = "drop", "report"

Flags = npt.NDArray[np.bool_]


def image_duplicates(items: pa.Table, read: ReadBytes, params: ImageParams) -> pa.Table:
    """Return `duplicates` payload rows, members and the kept ones alike.

    Args:
        items: `ITEM_COLUMNS`; the first row has the highest priority (is kept before the others).
            `phash` is binary(32); an image without keys has nulls and takes part by pixels only.
        read: asked for the bytes of pairs that hashes cannot decide.
        params: thresholds.
    """
    pictures = Pictures(read)
    same = list(_pixel_rows(items))
    items = _without(items, same)
    near = list(_phash_rows(items, pictures, params))
    items = _without(items, near)
    retoned = list(_retoned_rows(items, pictures))
    items = _without(items, retoned)
    views = list(_view_rows(items, pictures, params)) if params.finds_views else []
    rows = [*same, *near, *retoned, *views]
    kept = _kept_rows(rows)
    in_order = sorted([*rows, *kept], key=lambda r: (r["method"], r["cluster_id"], r["item_id"]))
    return DUPLICATES.rows(in_order)


def picture_of(duplicates: pa.Table) -> dict[str, str]:
    """Return the kept image of every image in a cluster that may drop; others stand for themselves.

    Args:
        duplicates: rows of `image_duplicates`, other methods and kinds allowed.
    """
    decision = pc.fill_null(duplicates["decision"], _DROP)
    is_image = pc.equal(duplicates["item_kind"], "image")
    is_member = pc.not_equal(duplicates["item_id"], duplicates["kept_id"])
    drops = pc.and_(pc.and_(is_image, is_member), pc.equal(decision, _DROP))
    rows = duplicates.filter(drops)
    next_of = dict(zip(rows["item_id"].to_pylist(), rows["kept_id"].to_pylist(), strict=True))
    return {image: _last(image, next_of) for image in next_of}


def _last(image: str, next_of: dict[str, str]) -> str:
    seen = {image}
    while (kept := next_of.get(image)) is not None and kept not in seen:
        seen.add(kept)
        image = kept
    return image


def _pixel_rows(items: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield a row per image whose pixels are those of an image before it."""
    first: dict[str, str] = {}
    for image, pixels in zip(
        items["image_id"].to_pylist(), items["pixel_sha"].to_pylist(), strict=True
    ):
        kept = first.setdefault(pixels, image)
        if kept != image:
            yield _row(IMAGE_PIXELS, image, kept, 1.0, _DROP) | {"evidence": f"pixels {pixels}"}


def _phash_rows(
    items: pa.Table, pictures: Pictures, params: ImageParams
) -> Iterator[dict[str, Any]]:
    """Yield a row per image that is the same picture as one before it."""
    ids = items["image_id"].to_pylist()
    words, has_hash = phash_words(items["phash"])
    is_photo = _flags(items["is_photo"])

    def confirm(members: npt.NDArray[np.int64], leaders: npt.NDArray[np.int64]) -> Flags:
        pairs = [(ids[m], ids[k]) for m, k in zip(members, leaders, strict=True)]
        portions = pictures.portions(pairs)
        verdicts = [pictures.say_the_same(*pair) for portion in portions for pair in portion]
        return np.array(verdicts, np.bool_)

    found = led(words, has_hash, is_photo, Nearness(params.max_bits, params.looks), confirm)
    for member in np.flatnonzero(found.kept_by != KEPT).tolist():
        leader = int(found.kept_by[member])
        bits = int(np.bitwise_count(words[member] ^ words[leader]).sum())
        trusts = bool(is_photo[member] and is_photo[leader])
        how = "both photos" if trusts else "no place differs"
        yield _row(IMAGE_PHASH, ids[member], ids[leader], 1.0 - bits / PHASH_BITS, _DROP) | {
            "evidence": f"pHash distance {bits} of {PHASH_BITS}; {how}",
            "band": int(found.band[member]),
        }


def _retoned_rows(items: pa.Table, pictures: Pictures) -> Iterator[dict[str, Any]]:
    """Yield a row per chart or document that is one before it with other tones."""
    ids = items["image_id"].to_pylist()
    views, has_views = _view_words(items)
    pairs = retoned_pairs(views[:, 0], has_views, _flags(items["is_photo"]), ids, pictures)
    for member, leader, bits in pairs:
        yield _row(IMAGE_TONES, ids[member], ids[leader], 1.0 - bits / VIEW_BITS, _DROP) | {
            "evidence": f"pHash distance {bits} of {VIEW_BITS}; no place differs but in tones"
        }


def _view_rows(
    items: pa.Table, pictures: Pictures, params: ImageParams
) -> Iterator[dict[str, Any]]:
    """Yield a row per image that shows a part or a mirror picture of one before it."""
    ids = items["image_id"].to_pylist()
    views, has_views = _view_words(items)
    candidates = view_candidates(views[:, 0], has_views, views, params.view_bits)
    for pair in view_pairs(candidates, ids, _flags(items["is_photo"]), pictures):
        method = IMAGE_FLIP if pair.view.turn else IMAGE_CROP
        yield _row(method, ids[pair.member], ids[pair.leader], pair.overlap.similarity, _REPORT) | {
            "evidence": _view_evidence(pair)
        }


def _view_evidence(pair: ViewPair) -> str:
    return f"view {pair.view.name}, {pair.bits} of 64 bits apart; {pair.overlap}"


def _view_words(items: pa.Table) -> tuple[npt.NDArray[np.uint64], Flags]:
    """Return uint64[n, views] and whether a row has the views of this version and structure."""
    names = list(VIEW_NAMES)
    views = np.zeros((items.num_rows, len(names)), np.int64)
    has_views = np.zeros(items.num_rows, np.bool_)
    hashes, stated = items["view_hashes"].to_pylist(), items["view_names"].to_pylist()
    for row, (values, of) in enumerate(zip(hashes, stated, strict=True)):
        if values is not None and of == names:
            views[row], has_views[row] = values, True
    words = views.view(np.uint64)
    return words, has_views & (np.bitwise_count(words[:, 0]) >= MIN_VIEW_ONES)


def _flags(column: pa.ChunkedArray) -> Flags:
    """Return bool[n]; what is unknown is no photo."""
    flags: Flags = column.fill_null(pa.scalar(value=False)).to_numpy().astype(np.bool_)
    return flags


def _without(items: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    gone = pa.array([row["item_id"] for row in rows], pa.string())
    return items.filter(pc.invert(pc.is_in(items["image_id"], value_set=gone)))


def _row(method: str, item: str, kept: str, similarity: float, decision: str) -> dict[str, Any]:
    return {
        "item_id": item,
        "item_kind": "image",
        "method": method,
        "cluster_id": content_id("cluster", method, kept),
        "kept_id": kept,
        "similarity": similarity,
        "decision": decision,
        "algorithm": PAIR_ALGORITHM,
    }


def _kept_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for the kept member of every cluster."""
    kept = {(r["method"], r["kept_id"]): r["decision"] for r in rows}
    return [_row(method, image, image, 1.0, decision) for (method, image), decision in kept.items()]
