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

from tasks.dedup.text import characters, hashing
from tasks.dedup.text.blocks import Block, Bytes, Places
from tasks.dedup.text.compiled import compiled
from tasks.dedup.text.hashing import mix

Hashes = npt.NDArray[np.uint64]

_LETTER: Final = np.uint8(characters.LETTER)
_SINGLE: Final = np.uint8(characters.SINGLE)
_SPACE: Final = np.uint8(characters.SPACE)
_IN_WORD: Final = np.uint8(characters.LETTER | characters.DIGIT | characters.SINGLE)
_NONE: Final = np.uint8(0)
_SEED: Final = np.uint64(hashing.WORD_SEED)
_PRIME: Final = np.uint64(hashing.PRIME)
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


@compiled
def split_words(
    text: tuple[Bytes, Places, Places],
    classes: Bytes,
    out: tuple[Places, Hashes, Places, Places, Bytes, Hashes],
) -> None:
    """Fill `out`, the fields of `Tokens`."""
    data, row_starts, row_ends = text
    offsets, _, _, _, _, exacts = out
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
            if group & _IN_WORD:
                place = _word(data, (place, end), classes, out, n)
                exact = (exact ^ out[1][n]) * _PRIME
                n += 1
                continue
            exact = _hashed(exact, data, place, place + size)
            place += size
        offsets[row + 1] = n
        exacts[row] = mix(exact)


@compiled
def _word(
    data: Bytes,
    span: tuple[int, int],
    classes: Bytes,
    out: tuple[Places, Hashes, Places, Places, Bytes, Hashes],
    n: int,
) -> int:
    """Write word `n`, which begins at `span[0]`; return the position after it."""
    _, hashes, starts, ends, kinds, _ = out
    place, end = span
    word, kind = _SEED, _NONE
    while place < end:
        size, group = _character(data, place, end, classes)
        if not group & _IN_WORD or (kind != _NONE and (group | kind) & _SINGLE):
            break
        word = _hashed(word, data, place, place + size)
        kind |= group
        place += size
    hashes[n] = mix(word)
    starts[n], ends[n], kinds[n] = span[0], place, kind
    return place


@compiled
def _hashed(state: np.uint64, data: Bytes, start: int, end: int) -> np.uint64:
    """Return `state` after the bytes of a character, ASCII in lower case."""
    byte = data[start]
    if 65 <= byte <= 90:
        byte |= np.uint8(32)
    state = (state ^ np.uint64(byte)) * _PRIME
    for place in range(start + 1, end):
        state = (state ^ np.uint64(data[place])) * _PRIME
    return state


@compiled
def _character(data: Bytes, place: int, end: int, classes: Bytes) -> tuple[int, np.uint8]:
    """Return how many bytes the character at `place` has and its class; bad bytes are letters."""
    lead = int(data[place])
    if lead < 0x80:
        return 1, classes[lead]
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if lead < 0xC2 or lead > 0xF4 or place + size > end:
        return 1, _LETTER
    code = lead & (0x7F >> size)
    for follower in range(place + 1, place + size):
        byte = int(data[follower])
        if byte & 0xC0 != 0x80:
            return 1, _LETTER
        code = code << 6 | byte & 0x3F
    is_short = (size == 3 and code < 0x800) or (size == 4 and code < 0x10000)
    if is_short or 0xD800 <= code < 0xE000:
        return 1, _LETTER
    return size, classes[code] if code < len(classes) else _LETTER
