"""A plain tokeniser: what words and shingles are, for the oracle and for peers that take tokens."""

import re
import unicodedata
from typing import Final

SHINGLE_WORDS: Final = 5
WORD: Final = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, case folded."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def shingles_of(text: str) -> set[str]:
    """Return the distinct word 5-grams of a text; one shingle if it has fewer words, or none."""
    words = words_of(text)
    last = max(1, len(words) - SHINGLE_WORDS + 1) if words else 0
    return {" ".join(words[i : i + SHINGLE_WORDS]) for i in range(last)}
