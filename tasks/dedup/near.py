"""Near duplicates among keyed texts: verified pairs as `duplicates` rows.

Texts meet only where picture, group and protected tokens agree, because these salt the bands; a
shared band alone drops nothing, the exact Jaccard similarity of the shingle sets does.  A row that
others were dropped for before is never dropped here: what would drop it is reported instead, so
that every kept row stays kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from sightline.ids import canonical_json, content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.key_rows import KeyColumns, algorithm_of
from tasks.dedup.params import Decision
from tasks.dedup.settle.resolve import KEPT, Settled, salted, settle
from tasks.dedup.settle.similarity import Jaccard
from tasks.dedup.text.keys import TextKeyParams

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class NearRule:
    """How texts of one kind are compared.

    Fields:
        kind: `sample` or `chain`.
        same: method of members whose words are those of the kept one.
        near: method of the other members.
        about: what a group agrees in, for people.
        decision: what follows for members that are not kept.
        similarity: least Jaccard similarity.
        leaders: kept members of a bucket that a further member is compared with.
        keys: how the texts were keyed.
    """

    kind: str
    same: str
    near: str
    about: str
    decision: Decision
    similarity: float
    leaders: int
    keys: TextKeyParams

    @property
    def algorithm(self) -> str:
        """Return the name and version that rows carry."""
        return (
            f"{algorithm_of(self.keys)}-jaccard{self.similarity:g}-leaders{self.leaders}-v{VERSION}"
        )


def near_duplicates(
    rows: pa.Table,
    pictures: Mapping[str, str],
    rule: NearRule,
    needed: AbstractSet[str] = frozenset(),
) -> pa.Table:
    """Return `duplicates` payload rows: the members of every cluster, kept ones alike.

    Args:
        rows: `READ_COLUMNS` of `text_keys`, the row to keep first before others.
        pictures: the image that stands for an image, where it is another one.
        rule: how the texts are compared.
        needed: items that others were dropped for before.
    """
    keys = KeyColumns.of(rows, rule.keys)
    salt = salts(rows, pictures, keys.guard)
    order = np.arange(rows.num_rows, dtype=np.int64)
    alike = Jaccard(keys.offsets, keys.shingles, keys.signature, rule.similarity)
    bands = salted(keys.bands, salt)
    settled = settle(bands, keys.has_bands, order, alike, leaders=rule.leaders)
    found = _cluster_rows(rows["item_id"].to_pylist(), keys, settled, rule, needed)
    return DUPLICATES.rows(
        sorted(found, key=lambda r: (r["method"], r["cluster_id"], r["item_id"]))
    )


def salts(
    rows: pa.Table, pictures: Mapping[str, str], guard: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Return uint64[n]: rows with one salt are about one picture, in one group, equally guarded.

    A salt depends on its row and on the images that stand for its images, on nothing else.
    """
    images = rows["image_ids"].to_pylist()
    groups = rows["group_key"].to_pylist()
    found = np.empty(rows.num_rows, np.uint64)
    for row, (ids, group, guarded) in enumerate(zip(images, groups, guard.tolist(), strict=True)):
        stand = [pictures.get(i, i) for i in ids or ()]
        found[row] = xxhash.xxh3_64_intdigest(
            canonical_json([stand, group, guarded]).encode("utf-8", "surrogatepass")
        )
    return found


def _cluster_rows(
    ids: Sequence[str],
    keys: KeyColumns,
    settled: Settled,
    rule: NearRule,
    needed: AbstractSet[str],
) -> Iterator[dict[str, Any]]:
    """Yield a row per dropped item, and one per kept item and method it is kept under."""
    kept: set[tuple[str, str]] = set()
    for item in np.flatnonzero(settled.kept_by != KEPT).tolist():
        leader = int(settled.kept_by[item])
        is_same = bool(keys.exact[item] == keys.exact[leader])
        method = rule.same if is_same else rule.near
        spared = rule.decision is Decision.DROP and ids[item] in needed
        decision = Decision.REPORT if spared else rule.decision
        band, similarity = int(settled.band[item]), float(settled.similarity[item])
        evidence = (
            f"Jaccard {similarity:.4f} of {rule.keys.shingle_words}-word shingles, {rule.about}"
        )
        shared = _shared(ids[leader], method, rule)
        yield shared | {
            "item_id": ids[item],
            "similarity": similarity,
            "evidence": evidence + ("; kept, others were dropped for it" if spared else ""),
            "decision": decision.value,
            "band": band,
        }
        if (ids[leader], method) not in kept:
            kept.add((ids[leader], method))
            yield shared | {
                "item_id": ids[leader],
                "similarity": 1.0,
                "decision": rule.decision.value,
            }


def _shared(kept_id: str, method: str, rule: NearRule) -> dict[str, Any]:
    return {
        "item_kind": rule.kind,
        "method": method,
        "cluster_id": content_id("cluster", method, kept_id),
        "kept_id": kept_id,
        "algorithm": rule.algorithm,
    }
