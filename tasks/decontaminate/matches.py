"""A row of `contamination`: which rule made one of ours match an item, and what both share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sightline.errors import clip_detail
from tasks.decontaminate.benchmark import Benchmark
from tasks.decontaminate.items import bare
from tasks.decontaminate.rules import Rule, RuleBook
from tasks.decontaminate.texts import with_choices
from tasks.image_keys.keys import KEY_ALGORITHM

VERSION: Final = 1
"""Of matching."""
WORDS_VERSION: Final = 1
"""Of how texts are cut into words and hashed; a golden test says when it must change."""
TEXT_ALGORITHM: Final = f"runs-v{VERSION}-words-v{WORDS_VERSION}"
PICTURE_ALGORITHM: Final = f"phash256-v{VERSION}"
VIEW_ALGORITHM: Final = f"{KEY_ALGORITHM}-overlap-v{VERSION}"


@dataclass(frozen=True, slots=True)
class Ours:
    """One of ours: its key, and what that names: image, sample or chain."""

    item_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Told:
    """How well it matches, 0..1, what both share, and how that was found."""

    score: float
    evidence: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows about one benchmark, by the rules that are applied."""

    benchmark_id: str
    benchmark: Benchmark
    book: RuleBook

    def row(self, rule: Rule, ours: Ours, item: int, told: Told) -> Iterator[dict[str, Any]]:
        """Yield a row, unless the rule is not applied."""
        decision = self.book.decision(rule)
        if decision is not None:
            yield {
                "item_id": ours.item_id,
                "item_kind": ours.kind,
                "benchmark_id": self.benchmark_id,
                "rule": rule.value,
                "benchmark_item": self.benchmark.name_of(item),
                "score": min(1.0, told.score),
                "evidence": clip_detail(told.evidence),
                "decision": decision.value,
                "algorithm": told.algorithm,
            }


def text_of(sample: Mapping[str, Any]) -> str | None:
    """Return the question of a sample with its options, as it is compared."""
    question, choices = asked(sample), sample["choices"]
    return with_choices(question, choices) if question and choices else question


def asked(sample: Mapping[str, Any]) -> str | None:
    """Return the question of a sample alone."""
    return None if sample["question"] is None else bare(sample["question"])
