"""What the report shows of duplicates: both members side by side, the kept one first.

Pairs are chosen by kind and method, then by a hash of the ids, so that no frequent tier hides a
rare one and pages of two builds can be compared.  Texts are untrusted and long: words that differ
are marked here as plain values, the template escapes every one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from tasks.publish.choice import Query
from tasks.publish.overlays import SMALL_SIDE_PX, Picture, picture_of, pixels_of

MAX_WORDS: Final = 160
"""Words of a text that are compared and shown; aligning takes the square of it."""
MAX_WORD_CHARS: Final = 60
PER_TIER: Final = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """Some words in a row, and whether the other member lacks them."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One side of a pair; `picture` is None where nothing can be shown."""

    item_id: str
    passages: tuple[Passage, ...]
    answer: str | None
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class PairView:
    """One pair on the page."""

    kind: str
    method: str
    decision: str
    similarity: float
    evidence: str | None
    algorithm: str | None
    kept: Member
    item: Member

    @property
    def n_bytes(self) -> int:
        """Return the size of the embedded pictures."""
        return sum(len(m.picture.uri) for m in (self.kept, self.item) if m.picture is not None)


@dataclass(frozen=True, slots=True)
class TierLine:
    """What one tier found."""

    item_kind: str
    method: str
    decision: str
    n_clusters: int
    n_members: int
    least_similarity: float


PAIRS = """
select item_kind, method, decision, item_id, kept_id, similarity, evidence, algorithm,
    item_text, kept_text, item_answer, kept_answer, item_image_ids, kept_image_ids
from duplicate_pairs
qualify row_number() over (
    partition by item_kind, method, decision order by md5(item_id || kept_id)
) <= ?
order by item_kind, method, decision, md5(item_id || kept_id)
"""
TIERS = """
select item_kind, method, decision, count(distinct kept_id) as n_clusters,
    count(*) as n_members, min(similarity) as least_similarity
from duplicate_pairs group by all order by item_kind, method, decision
"""
IMAGES = "select image_id, bytes from images where list_contains(?, image_id)"


def read_tiers(query: Query) -> list[TierLine]:
    """Return what each tier found."""
    return [TierLine(**row) for row in query(TIERS, []).to_pylist()]


def read_pairs(query: Query, max_bytes: int) -> Iterator[PairView]:
    """Yield pairs of every tier until their pictures would exceed `max_bytes` together."""
    left = max_bytes
    for row in query(PAIRS, [PER_TIER]).to_pylist():
        pair = _pair(query, row)
        left -= pair.n_bytes
        if left < 0:
            return
        yield pair


def marked(text: str | None, other: str | None) -> tuple[Passage, ...]:
    """Return the words of `text` in passages, those that `other` lacks apart."""
    here, there = _words(text), _words(other)
    matcher = SequenceMatcher(None, there, here, autojunk=False)
    return tuple(
        Passage(" ".join(here[start:end]), differs=kind != "equal")
        for kind, _, _, start, end in matcher.get_opcodes()
        if start < end
    )


def _words(text: str | None) -> list[str]:
    words = (text or "")[: MAX_WORDS * MAX_WORD_CHARS].split()
    shown = [w if len(w) <= MAX_WORD_CHARS else w[:MAX_WORD_CHARS] + "…" for w in words]
    return shown if len(shown) <= MAX_WORDS else [*shown[:MAX_WORDS], "…"]


def _pair(query: Query, row: Mapping[str, Any]) -> PairView:
    wanted = [ids[0] for ids in (row["kept_image_ids"], row["item_image_ids"]) if ids]
    stored = {r["image_id"]: r["bytes"] for r in query(IMAGES, [wanted]).to_pylist()}
    return PairView(
        kind=row["item_kind"],
        method=row["method"],
        decision=row["decision"],
        similarity=row["similarity"],
        evidence=row["evidence"],
        algorithm=row["algorithm"],
        kept=_member(row, "kept", "item", stored),
        item=_member(row, "item", "kept", stored),
    )


def _member(row: Mapping[str, Any], side: str, other: str, stored: Mapping[str, bytes]) -> Member:
    return Member(
        item_id=row[f"{side}_id"],
        passages=marked(row[f"{side}_text"], row[f"{other}_text"]),
        answer=" ".join(_words(row[f"{side}_answer"])) or None,
        picture=_picture(row[f"{side}_image_ids"], stored, f"Image of {row[f'{side}_id']}"),
    )


def _picture(
    image_ids: Sequence[str] | None, stored: Mapping[str, bytes], alt: str
) -> Picture | None:
    rgb = pixels_of(stored.get(image_ids[0])) if image_ids else None
    return None if rgb is None else picture_of(rgb, alt, (), SMALL_SIDE_PX)
