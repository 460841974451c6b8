"""A benchmark against rows of the lake: `contamination` rows, and how much was really compared.

Samples, chains and images are compared apart, since each lies in parts of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from sightline.schemas import CONTAMINATION
from tasks.decontaminate.benchmark import Benchmark
from tasks.decontaminate.gallery import Gallery
from tasks.decontaminate.matches import (
    PICTURE_ALGORITHM,
    TEXT_ALGORITHM,
    VIEW_ALGORITHM,
    Matches,
    Ours,
    Told,
    asked,
    text_of,
)
from tasks.decontaminate.picture_rows import OurImages, PictureRows, unread_of
from tasks.decontaminate.pictures import OurPictures, PictureIndex
from tasks.decontaminate.rules import Rule, RuleBook
from tasks.decontaminate.texts import (
    LEAST_TOKENS,
    SHORT_TOKENS,
    WHOLE,
    Hit,
    RunIndex,
    Units,
    scan,
    shown,
    word_counts,
)
from tasks.decontaminate.views import ViewIndex

N8: Final = 8
N13: Final = 13
SHOWN_TEMPLATES: Final = 20

SAMPLE_COLUMNS: Final = ("sample_id", "question", "choices", "answer", "image_ids")
IMAGE_COLUMNS: Final = ("image_id", "pixel_sha", "phash", "source_key", "parent_image_id")
KEY_COLUMNS: Final = ("image_id", "view_hashes", "view_names", "is_photo")
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
        self,
        benchmark_id: str,
        benchmark: Benchmark,
        book: RuleBook,
        *,
        gallery: Gallery | None = None,
        is_own: bool = False,
    ) -> None:
        """Index the benchmark's texts and pictures.

        Args:
            benchmark_id: key of `benchmarks`.
            benchmark: what to compare with.
            book: by which rules.
            gallery: what its pictures look like; null if nothing looks for crops and flips.
            is_own: the benchmark is a dataset of the same lake: its items are no matches of
                themselves, and pictures are told of the other samples that show them.
        """
        n_items = len(benchmark.items)
        self._benchmark, self._book = benchmark, book
        self._own = frozenset(benchmark.items["name"].to_pylist()) if is_own else frozenset()
        self.units = Units.of(benchmark)
        self.questions = self.units.only_questions()
        lengths = (N8, N13) if book.decision(Rule.NGRAM13) is not None else (N8,)
        self.runs = {n: RunIndex.of(self.units, n, book, n_items) for n in lengths}
        self.whole = RunIndex.of(self.questions, WHOLE, book, n_items)
        self._matches = Matches(benchmark_id, benchmark, book)
        wholes = PictureIndex.of(benchmark, int(book.value(Rule.PHASH)))
        views = ViewIndex(gallery, wholes.by_pixels) if gallery and book.needs_views else None
        self._pictures = PictureRows(self._matches, wholes, views, unread_of(benchmark))

    def samples(self, samples: pa.Table, images: OurImages) -> Compared:
        """Return the rows of samples.

        Args:
            samples: `SAMPLE_COLUMNS`.
            images: at least those of the samples.
        """
        listed = [row for row in samples.to_pylist() if row["sample_id"] not in self._own]
        texts = [text_of(row) for row in listed]
        ids = [row["sample_id"] for row in listed]
        counts: Counter[str] = Counter()
        rows = list(self._texts(ids, texts, "sample", counts))
        rows += self._wholes(ids, listed, texts)
        found = self._pictures.found(images)
        stored = set(images.rows["image_id"].to_pylist())
        for row in listed:
            counts["without_picture"] += not stored.intersection(row["image_ids"])
            rows += self._pictures.of_sample(row, found)
            if self._own:
                rows += self._pictures.shown_by(row, found)
        return _compared(rows, counts)

    def chains(self, steps: pa.Table) -> Compared:
        """Return the rows of chains, by what their steps say; `steps` has `STEP_COLUMNS`."""
        said = _chain_texts(steps)
        counts: Counter[str] = Counter()
        rows = self._texts(list(said), list(said.values()), "chain", counts)
        return _compared(rows, counts)

    def images(self, images: OurImages) -> Compared:
        """Return the rows of images."""
        ours = OurPictures.of(images.rows)
        counts = Counter(compared=len(ours.image_ids), flat=int(ours.is_flat.sum()))
        if self._book.needs_views and images.keys is not None:
            counts["without_views"] = len(ours.image_ids) - images.keys.num_rows
        rows = [*self._pictures.of_images(self._pictures.found(images))]
        rows += self._pictures.named_alike(images.rows)
        return _compared(rows, counts)

    def facts(self) -> dict[str, Any]:
        """Return what of the benchmark itself cannot match, as JSON."""
        counts = word_counts(self.questions.texts)
        worded = {int(item) for item in self.units.items}
        pictured = {int(item) for item in self._benchmark.picture_items}
        problems = self._benchmark.items["problems"].to_pylist()
        return {
            "algorithms": {"texts": TEXT_ALGORITHM, "pictures": PICTURE_ALGORITHM}
            | ({"views": VIEW_ALGORITHM} if self._book.needs_views else {}),
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
                "items_without_text_and_picture": len(self._benchmark.items)
                - len(worded | pictured),
                "items_with_problems": sum(map(bool, problems)),
                "pictures_not_there": sum(map(len, self._benchmark.items["unread"].to_pylist())),
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
                    yield from self._text_row(rule, Ours(ids[hit.row], kind), hit, self.units)

    def _wholes(
        self, ids: list[str], samples: list[dict[str, Any]], texts: list[str | None]
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of questions that are the same as a whole."""
        alone = [asked(row) for row in samples]
        seen: set[int] = set()
        for listed in (texts, alone):
            column = pa.array(listed, pa.large_string())
            words = word_counts(column)
            for hit in self.whole.scan(column).hits:
                if hit.row in seen or words[hit.row] < LEAST_TOKENS:
                    continue
                seen.add(hit.row)
                rule = Rule.SHORT if words[hit.row] < SHORT_TOKENS else Rule.EXACT
                ours = Ours(ids[hit.row], "sample")
                yield from self._text_row(rule, ours, hit, self.questions)

    def _text_row(self, rule: Rule, ours: Ours, hit: Hit, units: Units) -> Iterator[dict[str, Any]]:
        whole = shown(units.texts[hit.unit].as_py())
        told = Told(hit.share, f"both say {hit.shared!r}; benchmark: {whole!r}", TEXT_ALGORITHM)
        yield from self._matches.row(rule, ours, int(units.items[hit.unit]), told)


def _compared(rows: Iterable[dict[str, Any]], counts: Counter[str]) -> Compared:
    ordered = sorted(rows, key=lambda row: (row["item_id"], row["rule"]))
    return Compared(CONTAMINATION.rows(ordered), dict(counts))


def _chain_texts(steps: pa.Table) -> dict[str, str | None]:
    """Return what every chain says, its steps in their order."""
    said: dict[str, list[tuple[tuple[int, str, int], str]]] = {}
    for row in steps.to_pylist():
        if row["kind"] in CHAIN_KINDS and row["text"]:
            place = (row["round"], row["generation_id"], row["position"])
            said.setdefault(row["chain_id"], []).append((place, row["text"]))
    return {chain: "\n".join(t for _, t in sorted(said[chain])) for chain in sorted(said)}
