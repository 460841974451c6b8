"""Near duplicates among keyed texts: verified pairs as `duplicates` rows.

Texts meet only where picture, group and protected tokens agree, because these salt the bands; a
shared band alone drops nothing, the exact Jaccard similarity of the shingle sets does.  A row that
an earlier tier of the run drops others for is never dropped here: what would drop it is reported
instead, so that every kept row stays kept.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.ids import content_id
from sightline.schemas import DUPLICATES
from tasks.dedup.key_rows import algorithm_of
from tasks.dedup.meeting import MeetingTexts
from tasks.dedup.params import Decision
from tasks.dedup.settle.memory import Memory, nothing_remembered, settled_now
from tasks.dedup.settle.neighbourhood import Items
from tasks.dedup.settle.resolve import Settled
from tasks.dedup.settle.similarity import Jaccard
from tasks.text_keys.keys import TextKeyParams

Compared = Callable[[pa.Array, float], Jaccard]
"""Returns the similarity, of at least so much, over the texts with these ids in their order."""

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


def settled_texts(
    texts: MeetingTexts,
    priority: npt.NDArray[np.int64],
    compared: Compared,
    rule: NearRule,
    memory: Memory,
) -> Settled:
    """Return who stands for whom: a function of the texts, their priority and the rule alone.

    Args:
        texts: all that may be compared.
        priority: int64[n], lower is kept first; ties go by id.
        compared: of texts that meet others.
        rule: how the texts are compared.
        memory: of the last settlement; it saves work and changes no row.
    """
    fresh = nothing_remembered(Jaccard.rule_of(rule.similarity), rule.leaders)
    now = Items(texts.item_ids, priority, texts.bands, texts.has_bands, texts.digests())
    found = settled_now(memory.load() or fresh, now, lambda ids: compared(ids, rule.similarity))
    memory.save(found)
    return found.settled


def near_duplicates(
    settled: Settled,
    texts: MeetingTexts,
    rule: NearRule,
    needed: AbstractSet[str] = frozenset(),
) -> pa.Table:
    """Return `duplicates` payload rows: the members of every cluster, kept ones alike.

    Args:
        settled: of `texts`, by `rule`.
        texts: that were compared.
        rule: how.
        needed: items that others are dropped for by an earlier tier of the same run.  What a later
            tier finds about them is reported; it changes no settlement, so none remembers it.
    """
    items = np.flatnonzero(~settled.is_kept)
    keepers = settled.kept_by[items]
    dropped = pa.table(
        {
            "item": texts.item_ids.take(pa.array(items)),
            "kept": texts.item_ids.take(pa.array(keepers)),
            "similarity": settled.similarity[items],
            "band": settled.band[items],
        }
    )
    is_same = texts.exact[items] == texts.exact[keepers]
    rows = _cluster_rows(dropped, is_same.tolist(), rule, needed)
    return DUPLICATES.rows(sorted(rows, key=lambda r: (r["method"], r["cluster_id"], r["item_id"])))


def _cluster_rows(
    dropped: pa.Table, is_same: Sequence[bool], rule: NearRule, needed: AbstractSet[str]
) -> Iterator[dict[str, Any]]:
    """Yield a row per dropped item, and one per kept item and method it is kept under."""
    shared: dict[tuple[str, str], dict[str, Any]] = {}
    columns = (dropped[name].to_pylist() for name in ("item", "kept", "similarity", "band"))
    for item, kept, similarity, band, same in zip(*columns, is_same, strict=True):
        method = rule.same if same else rule.near
        if (kept, method) not in shared:
            shared[kept, method] = _shared(kept, method, rule)
            yield shared[kept, method] | {
                "item_id": kept,
                "similarity": 1.0,
                "decision": rule.decision.value,
            }
        spared = rule.decision is Decision.DROP and item in needed
        evidence = (
            f"Jaccard {similarity:.4f} of {rule.keys.shingle_words}-word shingles, {rule.about}"
        )
        yield shared[kept, method] | {
            "item_id": item,
            "similarity": similarity,
            "evidence": evidence + ("; kept, others were dropped for it" if spared else ""),
            "decision": (Decision.REPORT if spared else rule.decision).value,
            "band": band,
        }


def _shared(kept_id: str, method: str, rule: NearRule) -> dict[str, Any]:
    return {
        "item_kind": rule.kind,
        "method": method,
        "cluster_id": content_id("cluster", method, kept_id),
        "kept_id": kept_id,
        "algorithm": rule.algorithm,
    }
