"""Which texts of a benchmark stand in ours: runs of tokens, and whole texts.

Both sides are cut into the same words, so case, punctuation and white space never count.  A run
that stands in very many items of a benchmark is a *template* ("what is the name of the ..."): it
tells nothing about an item, so it matches nothing, and it is counted and reported as what it is.
Whether a run is a template is decided by the benchmark alone; if it depended on our samples, every
part that is added would change what older parts were told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.decontaminate.benchmark import Benchmark
from tasks.decontaminate.lookup import HashSet, Numbers
from tasks.decontaminate.rules import RuleBook
from tasks.text_keys.blocks import Block, blocks
from tasks.text_keys.grams import grams
from tasks.text_keys.keys import ngrams
from tasks.text_keys.tokens import Tokens, tokens

WHOLE: Final = 1 << 16
"""A run so long that every text shorter than it has one run: all of its words."""
SHORT_TOKENS: Final = 8
LEAST_TOKENS: Final = 4
"""Shorter texts ("how many?") say nothing; they count only together with a picture."""
SHOWN_CHARS: Final = 160

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Units:
    """Every text of a benchmark by itself, so that one item's texts never run into each other.

    Attributes:
        texts: (u,) large_string.
        items: (u,) the item each belongs to.
        is_question: (u,) whether it is the question, alone or with its choices.
    """

    texts: pa.Array
    items: Numbers
    is_question: Flags

    @classmethod
    def of(cls, benchmark: Benchmark) -> "Units":
        """Return the questions, alone and with their choices, and the other texts."""
        listed: list[tuple[str, int, bool]] = []
        for number, row in enumerate(benchmark.items.to_pylist()):
            question = row["question"]
            if question:
                listed.append((question, number, True))
            if question and row["choices"]:
                listed.append((with_choices(question, row["choices"]), number, True))
            listed += [(text, number, False) for text in row["texts"]]
        return cls(
            pa.array([text for text, _, _ in listed], pa.large_string()),
            np.asarray([item for _, item, _ in listed], dtype=np.int64),
            np.asarray([asks for _, _, asks in listed], dtype=np.bool_),
        )

    def only_questions(self) -> "Units":
        """Return the questions."""
        kept = self.texts.filter(pa.array(self.is_question))
        flags = self.is_question[self.is_question]
        return Units(kept, self.items[self.is_question], flags)


@dataclass(frozen=True, slots=True)
class Hit:
    """One of our texts that shares runs with a unit of the benchmark.

    Attributes:
        row: of our texts.
        unit: the unit that shares the largest part of its runs; the first of equal ones.
        share: how much of the unit's runs, templates left out.
        shared: the first shared run, as our text writes it.
    """

    row: int
    unit: int
    share: float
    shared: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """What one pass over our texts found; `template_only` rows share nothing but templates."""

    hits: list[Hit]
    template_only: int


@dataclass(frozen=True, slots=True)
class RunIndex:
    """Runs of n words of all units.

    Attributes:
        n: words of a run.
        runs: the distinct runs.
        is_template: (k,) of each run.
        n_items: (k,) how many items hold it.
        offsets: (k + 1,) first unit of each run in `units`.
        units: units that hold a run, run by run.
        sizes: (u,) distinct runs of a unit that are no templates.
    """

    n: int
    runs: HashSet
    is_template: Flags
    n_items: Numbers
    offsets: Numbers
    units: Numbers
    sizes: Numbers

    @classmethod
    def of(cls, units: Units, n: int, book: RuleBook, n_items: int) -> "RunIndex":
        """Return the index of `units`."""
        offsets, hashes = ngrams(units.texts, n, keeps_short=n == WHOLE)
        unit_of = np.repeat(np.arange(len(units.items)), np.diff(offsets))
        keys, number = np.unique(hashes, return_inverse=True)
        held = _distinct_pairs(number, unit_of)
        by_item = _distinct_pairs(held[0], units.items[held[1]])
        items = np.bincount(by_item[0], minlength=len(keys))
        is_template = items > max(book.template_items, book.template_share * n_items)
        own = held[:, ~is_template[held[0]]]
        return cls(
            n,
            HashSet.of(keys),
            is_template,
            items,
            np.searchsorted(held[0], np.arange(len(keys) + 1)),
            held[1],
            np.bincount(own[1], minlength=len(units.items)),
        )

    def scan(self, texts: pa.Array) -> Scanned:
        """Return the texts that share runs with the benchmark, in order."""
        return scan({self.n: self}, texts)[self.n]

    def scan_block(self, block: Block, words: Tokens, first: int) -> Scanned:
        """Return the hits in one block of texts, of which the first has the number `first`."""
        offsets, hashes = grams(words.offsets, words.hashes, self.n, self.n == WHOLE)
        found = self.runs.find(hashes)
        known = np.flatnonzero(found >= 0)
        own = known[~self.is_template[found[known]]]
        rows = _rows_of(own, offsets)
        starts = np.searchsorted(own, offsets[rows])
        ends = np.searchsorted(own, offsets[rows + 1])
        hits: list[Hit] = []
        for row, start, end in zip(rows.tolist(), starts, ends, strict=True):
            unit, share = self._best(distinct(found[own[start:end]]))
            at = int(words.offsets[row] + own[start] - offsets[row])
            run = _run_text(block, words, at, min(at + self.n, int(words.offsets[row + 1])))
            hits.append(Hit(first + row, unit, share, run))
        only_templates = np.setdiff1d(_rows_of(known, offsets), rows)
        return Scanned(hits, len(only_templates))

    def _best(self, runs: Numbers) -> tuple[int, float]:
        """Return the unit that these runs cover best, and how much of it."""
        starts = self.offsets[runs]
        sizes = self.offsets[runs + 1] - starts
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        held = self.units[np.repeat(starts, sizes) + within]
        units, counts = np.unique(held, return_counts=True)
        shares = counts / self.sizes[units]
        best = int(np.argmax(shares))
        return int(units[best]), float(shares[best])

    def only_templates(self) -> Flags:
        """Return which units have runs, but none that is no template."""
        has_runs = np.bincount(self.units, minlength=len(self.sizes)) > 0
        flags: Flags = has_runs & (self.sizes == 0)
        return flags

    def templates(self, units: Units, most: int) -> list[dict[str, Any]]:
        """Return the most frequent templates with the number of items that hold each."""
        order = np.lexsort((self.runs.keys, -self.n_items))
        chosen = [int(run) for run in order if self.is_template[run]][:most]
        return [
            {"items": int(self.n_items[run]), "text": self._text_of(run, units)} for run in chosen
        ]

    def _text_of(self, run: int, units: Units) -> str:
        """Return the words of a run as the first unit that holds it writes them."""
        unit = int(self.units[self.offsets[run]])
        (block,) = blocks(units.texts.slice(unit, 1))
        words = tokens(block)
        _, hashes = grams(words.offsets, words.hashes, self.n, self.n == WHOLE)
        at = int(np.flatnonzero(hashes == self.runs.keys[run])[0])
        return _run_text(block, words, at, min(at + self.n, int(words.offsets[1])))


def scan(indexes: Mapping[int, RunIndex], texts: pa.Array) -> dict[int, Scanned]:
    """Return what each index finds in `texts`, which are cut into words once for all of them."""
    found = {n: Scanned([], 0) for n in indexes}
    first = 0
    for block in blocks(texts):
        words = tokens(block)
        for n, index in indexes.items():
            part = index.scan_block(block, words, first)
            found[n].hits.extend(part.hits)
            found[n] = Scanned(found[n].hits, found[n].template_only + part.template_only)
        first += len(block.starts)
    return found


def with_choices(question: str, choices: Iterable[str]) -> str:
    """Return a question followed by its options, as it is compared."""
    return "\n".join([question, *choices])


def word_counts(texts: pa.Array) -> Numbers:
    """Return the words of every text."""
    counts = [np.diff(tokens(block).offsets) for block in blocks(texts)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *counts])


def run_set(text: str, n: int) -> frozenset[int]:
    """Return the runs of one text; of a shorter text, the run of all its words."""
    _, hashes = ngrams(pa.array([text], pa.large_string()), n, keeps_short=True)
    return frozenset(hashes.tolist())


def shown(text: str) -> str:
    """Return text on one line, cut to `SHOWN_CHARS`."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"


def distinct(values: Numbers) -> Numbers:
    """Return the distinct values, sorted; on a million 100 times as fast as numpy's hashing."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    found: Numbers = ordered[is_first]
    return found


def _distinct_pairs(first: Numbers, second: Numbers) -> Numbers:
    """Return (2, k) the distinct pairs, sorted.

    Args:
        first: from 0.
        second: from 0.
    """
    width = int(second.max(initial=0)) + 1
    pairs: Numbers = np.stack(np.divmod(distinct(first * width + second), width))
    return pairs


def _rows_of(places: Numbers, offsets: Numbers) -> Numbers:
    """Return the rows that hold these runs, once each."""
    return distinct(np.searchsorted(offsets, places, side="right") - 1)


def _run_text(block: Block, words: Tokens, first: int, end: int) -> str:
    raw = block.data[words.starts[first] : words.ends[end - 1]].tobytes()
    return shown(raw.decode("utf-8", "replace"))
