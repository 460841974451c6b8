"""Text keys for exact deduplication: what may differ between two statements of one question.

Case, Unicode form, white space, end punctuation and a pair of quotes or brackets around the whole
may differ; a digit, sign, unit or word may not.  Plain NFKC would turn 2⁵ into 25 and 1½ into 11/2,
so superscripts, subscripts and fractions are marked first.  A closing "!" goes only after a word,
because 5! is a number, and a lone quote stays, because 5' and 5" are lengths.
"""

import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.int64]

NULL_CODE: Final = -1

_MARKED: Final = {"<super>": "\x1e^", "<sub>": "\x1e_", "<fraction>": "\x1e "}
_INVISIBLE: Final = dict.fromkeys((0x00AD, 0x200B, 0x2060, 0xFEFF))
_END: Final = " .?,;:"
_PAIRS: Final = {'"': '"', "'": "'", "“": "”", "«": "»", "(": ")", "[": "]", "¿": "?"}


def normalise(text: str) -> str:
    """Return the key of `text`; texts with one key say the same."""
    if not text.isascii():
        text = _marked(text.translate(_INVISIBLE))
    folded = unicodedata.normalize("NFKC", text).casefold()
    flat = " ".join(unicodedata.normalize("NFKC", folded).split())
    while (bare := _without_end(_without_pair(flat))) not in {"", flat}:
        flat = bare
    return flat


def text_codes(column: pa.ChunkedArray) -> Codes:
    """Return a number per row, equal exactly where the normalised texts are; null is `NULL_CODE`.

    Distinct texts are normalised once, so a million rows of few questions cost little.
    """
    codes, values = _encoded(column)
    numbers: dict[str, int] = {}
    by_value = [
        numbers.setdefault(normalise(decoded(value)), len(numbers)) for value in values.to_pylist()
    ]
    return _mapped(codes, np.asarray(by_value, dtype=np.int64))


def value_codes(column: pa.ChunkedArray, numbers: dict[str, int]) -> Codes:
    """Return a number per row: `numbers[value]`, or a new one for a value that is not in it."""
    codes, values = _encoded(column)
    fresh = dict(numbers)
    next_number = max(fresh.values(), default=-1) + 1
    by_value: list[int] = []
    for value in values.to_pylist():
        text = decoded(value)
        if text not in fresh:
            fresh[text], next_number = next_number, next_number + 1
        by_value.append(fresh[text])
    return _mapped(codes, np.asarray(by_value, dtype=np.int64))


def list_codes(lengths: Codes, items: Codes) -> Codes:
    """Return a number per list, equal exactly for equal lists; a null list is `NULL_CODE`.

    Args:
        lengths: items of each list, in order; `NULL_CODE` for a null list.
        items: the codes of all items, flat.
    """
    result = np.full(len(lengths), NULL_CODE, dtype=np.int64)
    ends = np.cumsum(np.maximum(lengths, 0))
    is_single = lengths == 1
    result[is_single] = items[ends[is_single] - 1]
    first_free = int(items.max(initial=NULL_CODE)) + 1
    numbers: dict[tuple[int, ...], int] = {}
    for row in np.flatnonzero((lengths == 0) | (lengths > 1)):
        key = tuple(items[ends[row] - lengths[row] : ends[row]].tolist())
        result[row] = numbers.setdefault(key, first_free + len(numbers))
    return result


def decoded(raw: bytes) -> str:
    """Return stored text; bytes that are no UTF-8 stay apart from every other text."""
    return raw.decode("utf-8", "surrogateescape")


def _encoded(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return dictionary positions and values; large types, since 2 GB of text are possible."""
    flat = column.cast(pa.string()) if pa.types.is_null(column.type) else column
    chunks = flat.cast(pa.large_binary()).combine_chunks()
    array = pa.concat_arrays(chunks.chunks) if isinstance(chunks, pa.ChunkedArray) else chunks
    encoded = array.dictionary_encode()
    return encoded.indices, encoded.dictionary


def _mapped(codes: pa.Array, by_value: Codes) -> Codes:
    positions = codes.fill_null(len(by_value)).to_numpy(zero_copy_only=False)
    mapped: Codes = np.append(by_value, NULL_CODE)[positions]
    return mapped


def _marked(text: str) -> str:
    return "".join(_MARKED.get(unicodedata.decomposition(c).split(" ")[0], "") + c for c in text)


def _without_pair(text: str) -> str:
    closing = _PAIRS.get(text[:1])
    inner = text[1:-1]
    if closing is None or len(text) < 3 or not text.endswith(closing):  # noqa: PLR2004 - a pair
        return text
    return text if closing in inner or text[0] in inner else inner


def _without_end(text: str) -> str:
    """Strip end punctuation; by hand, since a regular expression is quadratic on hostile text."""
    bare = text.rstrip(_END)
    stem = bare.rstrip("!")
    return stem if stem != bare and stem[-2:].isalpha() and len(stem) > 1 else bare
