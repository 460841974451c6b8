"""Natural-like text: sentences of words that are as rare as Zipf says, with planted edits.

Unrelated rows share frequent words and hardly a shingle, as web text does.  Row `n` is a function
of (seed, n) alone.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate
from random import Random
from typing import Final

from benchmarks.dedup_corpora.edits import edited, laid_out

SHARE_PLANTED: Final = 0.25
EDITS: Final = (0, 0, 1, 1, 1, 2, 2, 3, 4, 6)
VOCABULARY: Final = 30_000
EXPONENT: Final = 1.05
ONSETS: Final = ("b", "br", "c", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr", "s", "st")
VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ou")


def natural(count: int, seed: int = 1, start: int = 0) -> Iterator[str]:
    """Yield rows `start`..`start + count - 1`, 40 to 160 words each."""
    words, cumulative = _vocabulary()
    for number in range(start, start + count):
        rng = Random(f"{seed} plan {number}")  # noqa: S311 - a corpus
        if number == 0 or rng.random() >= SHARE_PLANTED:
            yield _row(seed, number, words, cumulative)
            continue
        source = _row(seed, rng.randrange(number), words, cumulative)
        edits = rng.choice(EDITS)
        yield edited(source, rng, edits, words) if edits else laid_out(source, rng)


def _row(seed: int, number: int, words: Sequence[str], cumulative: Sequence[float]) -> str:
    rng = Random(f"{seed} row {number}")  # noqa: S311 - a corpus
    wanted, sentences, total = rng.randint(40, 160), list[str](), 0
    while total < wanted:
        length = rng.randint(6, 24)
        drawn = [words[bisect(cumulative, rng.random() * cumulative[-1])] for _ in range(length)]
        sentences.append(" ".join(drawn).capitalize() + ".")
        total += length
    return " ".join(sentences)


@cache
def _vocabulary() -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return words, the most frequent first, and the running sum of their frequencies."""
    rng = Random(26)  # noqa: S311 - a corpus
    words = dict.fromkeys(_word(rng) for _ in range(4 * VOCABULARY))
    kept = tuple(words)[:VOCABULARY]
    return kept, tuple(accumulate((rank + 2.7) ** -EXPONENT for rank in range(len(kept))))


def _word(rng: Random) -> str:
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.randint(1, 4)))
