"""Words of every row of a block, as hashes with their places, in one pass over the bytes.

A word is a run of letters, digits and marks; a character of an unspaced script is a word; ASCII is
lower-cased while it is read.  The exact key hashes everything but case and the amount of white
space, so punctuation counts.  Bytes that are no UTF-8 are letters of their own.  A row needs at
most half as many words as it has bytes, rounded up, since words of one byte never touch.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys import characters, hashing
from tasks.text_keys.blocks import Block, Bytes, Places
from tasks.text_keys.compiled import lean
from tasks.text_keys.hashing import mix

Hashes = npt.NDArray[np.uint64]

_LETTER: Final = np.uint8(characters.LETTER)
_SINGLE: Final = np.uint8(characters.SINGLE)
_SPACE: Final = np.uint8(characters.SPACE)
_WORD: Final = np.uint8(characters.LETTER | characters.DIGIT)
_IN_WORD: Final = np.uint8(characters.LETTER | characters.DIGIT | characters.SINGLE)
_NONE: Final = np.uint8(0)
_SEED: Final = np.uint64(hashing.WORD_SEED)
_PRIME: Final = np.uint64(hashing.PRIME)
_LEAD_1_END: Final = 0x80
_MARK: Final = 0xC0
_LEAD_2: Final = 0xC2
_LEAD_3: Final = 0xE0
_LEAD_4: Final = 0xF0
_LEAD_LAST: Final = 0xF4
_LEAST: Final = (0, 0, 0x80, 0x800, 0x10000)
_SURROGATE: Final = 0xD800
_SURROGATE_END: Final = 0xE000
_CASE: Final = np.where((np.arange(256) >= 65) & (np.arange(256) <= 90), 32, 0).astype(np.uint8)  # noqa: PLR2004 - A and Z
_BLANK: Final = np.uint64(0x20)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words of the rows of one block, one after another.

    Fields:
        offsets: (rows + 1,) first word of every row.
        hashes: (words,) hash of every word.
        starts: (words,) position of its first byte in the block.
        ends: (words,) position after its last byte.
        kinds: (words,) which classes of characters it holds, ORed.
        exact: (rows,) exact key.
    """

    offsets: Places
    hashes: Hashes
    starts: Places
    ends: Places
    kinds: Bytes
    exact: Hashes


def tokens(block: Block) -> Tokens:
    """Return the words of a block; a null row has none."""
    room = int(np.sum((block.ends - block.starts + 1) // 2))
    rows = len(block.starts)
    found = Tokens(
        offsets=np.zeros(rows + 1, np.int64),
        hashes=np.empty(room, np.uint64),
        starts=np.empty(room, np.int64),
        ends=np.empty(room, np.int64),
        kinds=np.empty(room, np.uint8),
        exact=np.empty(rows, np.uint64),
    )
    split_words(
        (block.data, block.starts, block.ends),
        characters.character_classes(),
        (found.offsets, found.hashes, found.starts, found.ends, found.kinds, found.exact),
    )
    return found


@lean
def split_words(  # noqa: C901 - a call per word would cost as much as the word
    text: tuple[Bytes, Places, Places],
    classes: Bytes,
    out: tuple[Places, Hashes, Places, Places, Bytes, Hashes],
) -> None:
    """Fill `out`, the fields of `Tokens`."""
    data, row_starts, row_ends = text
    offsets, hashes, starts, ends, kinds, exacts = out
    n = 0
    for row in range(len(row_starts)):
        place, end = row_starts[row], row_ends[row]
        exact, is_blank = _SEED, False
        while place < end:
            size, group = _character(data, place, end, classes)
            if group == _SPACE:
                is_blank = exact != _SEED
                place += size
                continue
            if is_blank:
                exact = (exact ^ _BLANK) * _PRIME
                is_blank = False
            if not group & _IN_WORD:
                for more in range(place, place + size):
                    exact = (exact ^ np.uint64(data[more])) * _PRIME
                place += size
                continue
            starts[n] = place
            word, kind = _SEED, _NONE
            while True:
                kind |= group
                byte = data[place]
                word = (word ^ np.uint64(byte | _CASE[byte])) * _PRIME
                for more in range(place + 1, place + size):
                    word = (word ^ np.uint64(data[more])) * _PRIME
                place += size
                if place >= end or kind == _SINGLE:
                    break
                size, group = _character(data, place, end, classes)
                if not group & _WORD:
                    break
            hashes[n], ends[n], kinds[n] = mix(word), place, kind
            exact = (exact ^ hashes[n]) * _PRIME
            n += 1
        offsets[row + 1] = n
        exacts[row] = mix(exact)


@lean
def _character(data: Bytes, place: int, end: int, classes: Bytes) -> tuple[int, np.uint8]:
    """Return how many bytes the character at `place` has and its class; bad bytes are letters."""
    lead = np.int64(data[place])
    if lead < _LEAD_1_END:
        return 1, classes[lead]
    size = 2 if lead < _LEAD_3 else 3 if lead < _LEAD_4 else 4
    if lead < _LEAD_2 or lead > _LEAD_LAST or place + size > end:
        return 1, _LETTER
    code = lead & (0x7F >> size)
    for follower in range(place + 1, place + size):
        byte = np.int64(data[follower])
        if byte & _MARK != _LEAD_1_END:
            return 1, _LETTER
        code = code << 6 | byte & 0x3F
    if code < _LEAST[size] or _SURROGATE <= code < _SURROGATE_END or code >= len(classes):
        return size if code >= len(classes) else 1, _LETTER
    return size, classes[code]
