"""A benchmark against rows of the lake: `contamination` rows, and how much was really compared.

Samples, chains and images are compared apart, since each lies in parts of its own.  A sample meets
the picture rules twice: its images get rows of their own, and it gets one if the question agrees
too.  Another answer to the same question on a picture that is only near makes it another item, so
it is shown to a person and not dropped.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from sightline.errors import clip_detail
from sightline.schemas import CONTAMINATION
from tasks.decontaminate.benchmark import Benchmark
from tasks.decontaminate.items import bare
from tasks.decontaminate.pictures import HASH_BITS, Match, OurPictures, PictureIndex
from tasks.decontaminate.rules import Decision, Rule, RuleBook
from tasks.decontaminate.texts import (
    LEAST_TOKENS,
    SHORT_TOKENS,
    WHOLE,
    Hit,
    RunIndex,
    Units,
    run_set,
    scan,
    shown,
    with_choices,
    word_counts,
)

VERSION: Final = 1
"""Of matching."""
WORDS_VERSION: Final = 1
"""Of how texts are cut into words and hashed; a golden test says when it must change."""
TEXT_ALGORITHM: Final = f"runs-v{VERSION}-words-v{WORDS_VERSION}"
PICTURE_ALGORITHM: Final = f"phash256-v{VERSION}"
SAME_ALGORITHM: Final = f"{PICTURE_ALGORITHM}+{TEXT_ALGORITHM}"
N8: Final = 8
N13: Final = 13
SHOWN_TEMPLATES: Final = 20

SAMPLE_COLUMNS: Final = ("sample_id", "question", "choices", "answer", "image_ids")
IMAGE_COLUMNS: Final = ("image_id", "pixel_sha", "phash", "parent_image_id")
STEP_COLUMNS: Final = ("chain_id", "generation_id", "position", "round", "kind", "text")
CHAIN_KINDS: Final = frozenset({"description", "reasoning", "answer"})


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of comparing some rows.

    Attributes:
        rows: `contamination` payload rows.
        counts: what was compared and what could not be, by name.
    """

    rows: pa.Table
    counts: Mapping[str, int]


class Comparison:
    """One benchmark with its indexes; safe to use from many threads."""

    def __init__(
        self, benchmark_id: str, benchmark: Benchmark, book: RuleBook, *, is_own: bool = False
    ) -> None:
        """Index the benchmark's texts and pictures.

        Args:
            benchmark_id: key of `benchmarks`.
            benchmark: what to compare with.
            book: by which rules.
            is_own: the benchmark is a dataset of the same lake: its items are no matches of
                themselves, and pictures are told of the other samples that show them.
        """
        n_items = len(benchmark.items)
        self.benchmark = benchmark
        self._id, self._book = benchmark_id, book
        self._own = frozenset(benchmark.items["name"].to_pylist()) if is_own else frozenset()
        self.units = Units.of(benchmark)
        self.questions = self.units.only_questions()
        lengths = (N8, N13) if book.decision(Rule.NGRAM13) is not None else (N8,)
        self.runs = {n: RunIndex.of(self.units, n, book, n_items) for n in lengths}
        self.whole = RunIndex.of(self.questions, WHOLE, book, n_items)
        self._pictures = PictureIndex.of(benchmark, int(book.value(Rule.PHASH)))

    def samples(self, samples: pa.Table, images: pa.Table) -> Compared:
        """Return the rows of samples.

        Args:
            samples: `SAMPLE_COLUMNS`.
            images: `IMAGE_COLUMNS`, at least those of the samples.
        """
        listed = [row for row in samples.to_pylist() if row["sample_id"] not in self._own]
        texts = [_text_of(row) for row in listed]
        ids = [row["sample_id"] for row in listed]
        counts: Counter[str] = Counter()
        rows = list(self._texts(ids, texts, "sample", counts))
        rows += self._wholes(ids, listed, texts)
        matches = self._pictures.matches(OurPictures.of(images))
        stored = set(images["image_id"].to_pylist())
        for row in listed:
            counts["without_picture"] += not stored.intersection(row["image_ids"])
            rows += self._same(row, matches)
            if self._own:
                rows += self._shown_pictures(row, matches)
        return _compared(rows, counts)

    def chains(self, steps: pa.Table) -> Compared:
        """Return the rows of chains, by what their steps say; `steps` has `STEP_COLUMNS`."""
        said = _chain_texts(steps)
        counts: Counter[str] = Counter()
        rows = self._texts(list(said), list(said.values()), "chain", counts)
        return _compared(rows, counts)

    def images(self, images: pa.Table) -> Compared:
        """Return the rows of images that are no crops; `images` has `IMAGE_COLUMNS`."""
        ours = OurPictures.of(images)
        counts = Counter(compared=len(ours.image_ids), flat=int(ours.is_flat.sum()))
        rows = [
            row
            for image, found in self._pictures.matches(ours).items()
            for row in self._picture_row((image, "image"), found[0])
        ]
        return _compared(rows, counts)

    def facts(self) -> dict[str, Any]:
        """Return what of the benchmark itself cannot match, as JSON."""
        counts = word_counts(self.questions.texts)
        asked = {int(item) for item in self.units.items}
        pictured = {int(item) for item in self.benchmark.picture_items}
        problems = self.benchmark.items["problems"].to_pylist()
        return {
            "algorithms": {"texts": TEXT_ALGORITHM, "pictures": PICTURE_ALGORITHM},
            "templates": {
                name: {
                    "count": int(index.is_template.sum()),
                    "most_frequent": index.templates(units, SHOWN_TEMPLATES),
                }
                for name, index, units in (
                    *((f"ngram{n}", index, self.units) for n, index in self.runs.items()),
                    ("whole", self.whole, self.questions),
                )
            },
            "not_compared": {
                "items_without_text_and_picture": len(self.benchmark.items) - len(asked | pictured),
                "items_with_problems": sum(map(bool, problems)),
                "questions_too_short": int((counts < LEAST_TOKENS).sum()),
                "texts_of_templates_only": int((self.runs[N8].only_templates()).sum()),
            },
        }

    def _texts(
        self, ids: list[str], texts: list[str | None], kind: str, counts: Counter[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of shared runs."""
        column = pa.array(texts, pa.large_string())
        words = word_counts(column)
        scanned = scan(self.runs, column)
        counts["compared"] += len(ids)
        counts["without_text"] += int((words == 0).sum())
        counts["too_short_for_runs"] += int(((words > 0) & (words < SHORT_TOKENS)).sum())
        counts["only_templates_shared"] += scanned[N8].template_only
        for rule, n, least in (
            (Rule.NGRAM8, N8, 0.0),
            (Rule.NGRAM8_SHARE, N8, self._book.value(Rule.NGRAM8_SHARE)),
            (Rule.NGRAM13, N13, 0.0),
        ):
            for hit in scanned[n].hits if n in scanned else ():
                if hit.share >= least:
                    yield from self._text_row(rule, ids[hit.row], kind, hit, self.units)

    def _wholes(
        self, ids: list[str], samples: list[dict[str, Any]], texts: list[str | None]
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of questions that are the same as a whole."""
        asked = [_asked(row) for row in samples]
        seen: set[int] = set()
        for listed in (texts, asked):
            column = pa.array(listed, pa.large_string())
            words = word_counts(column)
            for hit in self.whole.scan(column).hits:
                if hit.row in seen or words[hit.row] < LEAST_TOKENS:
                    continue
                seen.add(hit.row)
                rule = Rule.SHORT if words[hit.row] < SHORT_TOKENS else Rule.EXACT
                yield from self._text_row(rule, ids[hit.row], "sample", hit, self.questions)

    def _text_row(
        self, rule: Rule, item_id: str, kind: str, hit: Hit, units: Units
    ) -> Iterator[dict[str, Any]]:
        item = int(units.items[hit.unit])
        whole = shown(units.texts[hit.unit].as_py())
        evidence = f"both say {hit.shared!r}; benchmark: {whole!r}"
        yield from self._row(rule, (item_id, kind), item, (hit.share, evidence, TEXT_ALGORITHM))

    def _picture_row(self, ours: tuple[str, str], match: Match) -> Iterator[dict[str, Any]]:
        is_same = match.is_same and self._book.decision(Rule.PIXELS) is not None
        rule = Rule.PIXELS if is_same else Rule.PHASH
        asked = shown(self.benchmark.question_of(match.item))
        evidence = f"{_told(match)}; asked there: {asked!r}"
        told = (1 - match.bits / HASH_BITS, evidence, PICTURE_ALGORITHM)
        yield from self._row(rule, ours, match.item, told)

    def _shown_pictures(
        self, sample: dict[str, Any], matches: Mapping[str, list[Match]]
    ) -> Iterator[dict[str, Any]]:
        """Yield the row of the nearest picture of a sample."""
        found = [matches[image][0] for image in sample["image_ids"] if image in matches]
        if found:
            nearest = min(found, key=lambda match: (not match.is_same, match.bits, match.item))
            yield from self._picture_row((sample["sample_id"], "sample"), nearest)

    def _same(
        self, sample: dict[str, Any], matches: Mapping[str, list[Match]]
    ) -> Iterator[dict[str, Any]]:
        """Yield the row of a sample whose picture and question both match one item."""
        found = [match for image in sample["image_ids"] for match in matches.get(image, ())]
        if not found or not sample["question"]:
            return
        scored = [(self._question_share(sample, match.item), match) for match in found]
        share, best = max(scored, key=lambda s: (s[0], s[1].is_same, -s[1].bits, -s[1].item))
        if share < self._book.value(Rule.SAME):
            return
        asked = shown(self.benchmark.question_of(best.item))
        evidence = f"{_told(best)}; {share:.0%} of the question; asked there: {asked!r}"
        differs = not best.is_same and self._answers_differ(sample["answer"], best.item)
        evidence += "; another answer" if differs else ""
        told = (share, evidence, SAME_ALGORITHM)
        for row in self._row(Rule.SAME, (sample["sample_id"], "sample"), best.item, told):
            yield row | ({"decision": Decision.REVIEW.value} if differs else {})

    def _question_share(self, sample: dict[str, Any], item: int) -> float:
        """Return how much of an item's question stands in the sample's; 1 if they are the same."""
        question = self.benchmark.question_of(item)
        theirs = run_set(question, N8)
        if not theirs:
            return 0.0
        ours = run_set(_asked(sample) or "", N8) | run_set(_text_of(sample) or "", N8)
        return len(theirs & ours) / len(theirs)

    def _answers_differ(self, answer: str | None, item: int) -> bool:
        known = {_plain(a) for a in self.benchmark.items["answers"][item].as_py()}
        return bool(known) and answer is not None and _plain(answer) not in known

    def _row(
        self, rule: Rule, ours: tuple[str, str], item: int, told: tuple[float, str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield a row, unless the rule is not applied."""
        decision = self._book.decision(rule)
        if decision is not None:
            yield {
                "item_id": ours[0],
                "item_kind": ours[1],
                "benchmark_id": self._id,
                "rule": rule.value,
                "benchmark_item": self.benchmark.name_of(item),
                "score": min(1.0, told[0]),
                "evidence": clip_detail(told[1]),
                "decision": decision.value,
                "algorithm": told[2],
            }


def _compared(rows: Iterable[dict[str, Any]], counts: Counter[str]) -> Compared:
    ordered = sorted(rows, key=lambda row: (row["item_id"], row["rule"]))
    return Compared(CONTAMINATION.rows(ordered), dict(counts))


def _text_of(sample: Mapping[str, Any]) -> str | None:
    question, choices = _asked(sample), sample["choices"]
    return with_choices(question, choices) if question and choices else question


def _asked(sample: Mapping[str, Any]) -> str | None:
    return None if sample["question"] is None else bare(sample["question"])


def _chain_texts(steps: pa.Table) -> dict[str, str | None]:
    """Return what every chain says, its steps in their order."""
    said: dict[str, list[tuple[tuple[int, str, int], str]]] = {}
    for row in steps.to_pylist():
        if row["kind"] in CHAIN_KINDS and row["text"]:
            place = (row["round"], row["generation_id"], row["position"])
            said.setdefault(row["chain_id"], []).append((place, row["text"]))
    return {chain: "\n".join(t for _, t in sorted(said[chain])) for chain in sorted(said)}


def _told(match: Match) -> str:
    return "same pixels" if match.is_same else f"{match.bits} of {HASH_BITS} bits differ"


def _plain(answer: str) -> str:
    return " ".join(answer.casefold().split()).strip(" .")
