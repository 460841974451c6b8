"""What a character is to the tokeniser, and the one form in which rows that are not ASCII are read.

Letters, digits and marks of any script make words; characters of scripts written without spaces are
words of their own; symbols (arrows, relations, currencies) are no words but protected; everything
else separates.  A row that is not ASCII passes Python once: compatibility forms are composed
(NFKC), case is folded, typographic quotes and dashes become ASCII and what cannot be seen goes.
Superscripts, subscripts and fractions are marked first, since NFKC alone turns 2⁵ into 25 and 1½
into 11/2.  Bytes that are no UTF-8 come through unchanged.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.uint8]

SEPARATOR: Final = 0
LETTER: Final = 1
DIGIT: Final = 2
SINGLE: Final = 4
SYMBOL: Final = 8
SPACE: Final = 16

_ASCII: Final = 0x80
_NAMED_END: Final = 0x20000
_BITMAP_END: Final = 0x10000
"""`re` looks characters up in a bitmap only if a set holds none above; 20 times as fast."""
_TABLE_SIZE: Final = 0x40000
"""Code points above are private or invisible; they say something, so they are letters."""

_UNSPACED: Final = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x3007),  # ideographic iteration mark and zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)

_PLAIN: Final[dict[int, str]] = {
    **dict.fromkeys((0x00AD, 0x061C, 0x180E, 0xFEFF), ""),
    **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)), ""),
    **dict.fromkeys(range(0xFE00, 0xFE10), ""),  # variation selectors
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-"),
    **dict.fromkeys((0x2018, 0x2019, 0x201B, 0x02BC, 0x2032), "'"),
    **dict.fromkeys((0x201C, 0x201D, 0x201F, 0x2033), '"'),
    0x2044: "/",
}
"""Characters that are dropped or have an ASCII form that NFKC does not give them."""

_RAISED: Final = {"<super>": "^", "<sub>": "_", "<fraction>": " "}
"""What is written before characters that Unicode calls so."""

_RUN_LIMIT: Final = 30
"""Marks on one letter; Unicode Annex 15, stream-safe text.  Python sorts a run in square time."""
_SAFE_CHARS: Final = 512
_JOINER: Final = "\u034f"
_FOREIGN: Final = re.compile(rb"[\x00-\x7f]?[\x80-\xff]+")
_KNOWN_BYTES: Final = 32


def prepared(raw: bytes) -> bytes:
    """Return the form of a text that is compared; two writings of one text have one form.

    Only what is not ASCII is rewritten, with the one ASCII character before it, on which
    a mark may stand; what most texts hold (a dash, a quote) is rewritten once per process.
    """
    return _FOREIGN.sub(_rewritten, raw)


def _rewritten(found: re.Match[bytes]) -> bytes:
    span = found.group()
    return _known_form(span) if len(span) <= _KNOWN_BYTES else _form(span)


def _form(span: bytes) -> bytes:
    patterns = _patterns()
    text = span.decode("utf-8", "surrogateescape")
    if len(text) > _SAFE_CHARS:
        text = patterns.marks.sub(lambda run: run.group() + _JOINER, text)
    is_special = patterns.special.search(text) is not None
    if is_special:
        for pattern, replacement in patterns.raised:
            text = pattern.sub(replacement, text)
        text = patterns.special.sub(_plain, text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if is_special or folded != text:
        folded = patterns.special.sub(_plain, folded)
    return folded.encode("utf-8", "surrogateescape")


_known_form = lru_cache(maxsize=1 << 14)(_form)


@cache
def character_classes() -> Classes:
    """Return the class of every code point below `_TABLE_SIZE`."""
    classes = np.full(_TABLE_SIZE, SEPARATOR, dtype=np.uint8)
    for code in range(_NAMED_END):
        classes[code] = _class(unicodedata.category(chr(code)))
    classes[:0x21] = SPACE
    classes[0x7F:0xA0] = SPACE
    for first, last in _UNSPACED:
        chosen = classes[first : last + 1]
        chosen[(chosen == LETTER) | (first >= _NAMED_END)] = SINGLE
    classes.flags.writeable = False
    return classes


def _class(category: str) -> int:
    if category == "Nd":
        return DIGIT
    if category[0] in "LMNC" and category != "Cc":
        return LETTER
    if category[0] == "S":
        return SYMBOL
    return SPACE if category[0] == "Z" else SEPARATOR


def _plain(found: re.Match[str]) -> str:
    char = found.group()
    digit = unicodedata.decimal(char, None)
    return _PLAIN.get(ord(char), char) if digit is None else str(digit)


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What `_form` looks for; `special` finds all that NFKC alone would not do."""

    marks: re.Pattern[str]
    raised: tuple[tuple[re.Pattern[str], str], ...]
    special: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Return the patterns; made on first use, since they ask for every character."""
    every = [chr(code) for code in range(_ASCII, _BITMAP_END)]
    kinds: dict[str, list[str]] = {}
    for char in every:
        kinds.setdefault(unicodedata.decomposition(char).partition(" ")[0], []).append(char)
    raised = {kind: "".join(kinds[kind]) for kind in _RAISED}
    digits = "".join(char for char in every if char.isdecimal())
    marks = "".join(char for char in every if unicodedata.combining(char))
    return _Patterns(
        marks=re.compile(f"[{marks}]{{{_RUN_LIMIT}}}"),
        raised=tuple(
            (re.compile(f"([{chars}]+)"), rf"{_RAISED[kind]}\1") for kind, chars in raised.items()
        ),
        special=re.compile(f"[{digits}{''.join(raised.values())}{''.join(map(chr, _PLAIN))}]"),
    )
