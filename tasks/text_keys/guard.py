"""One hash per text of its protected tokens in order: what no two duplicates may differ in.

Protected are numbers with what belongs to them, the words of `vocabulary`, single letters (options,
variables, points), names such as "b2", and symbols of relations.  Their order counts: two texts
that swap "left" and "right", or which bar is 5 and which is 6, hold the same tokens and say the
opposite.  Numbers with no word between them are one token, as in 3/4 or a box.  A number is
compared by value as far as nothing else can be meant: 1,000 is 1000, .5 is 0.5, 3.0 is 3 and "five"
is 5, but 3.10 is not 3.1 (a section, a time) and 05 is not 5.  The article "a" and the pronoun "i"
are no options: a word follows them, after an option none does.  Case and the amount of white space
never count.  All kernels stand in this one file because the disk cache follows the file of the
compiled function only.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys import characters, hashing
from tasks.text_keys import vocabulary as words
from tasks.text_keys.blocks import Block, Bytes, Places
from tasks.text_keys.compiled import lean
from tasks.text_keys.hashing import mix
from tasks.text_keys.tokens import Hashes, Tokens

Flags = npt.NDArray[np.bool_]

_BASE: Final = np.uint64(hashing.BASE)
_PRIME: Final = np.uint64(hashing.PRIME)
_WORD_SEED: Final = np.uint64(hashing.WORD_SEED)
_NUMBER_SEED: Final = np.uint64(words.NUMBER_SEED)
_SYMBOL_SEED: Final = np.uint64(words.SYMBOL_SEED)
_NOT: Final = words.negation_hash()
_NONE: Final = np.uint64(0)
_NO_MEANING: Final = np.uint8(0)
_PROTECTED: Final = np.uint8(words.PROTECTED)
_UNIT: Final = np.uint8(words.UNIT)
_NUMBER: Final = np.uint8(words.NUMBER)
_LEAD: Final = np.uint8(words.LEAD)
_DIGIT: Final = np.uint8(characters.DIGIT)
_SYMBOL: Final = np.uint8(characters.SYMBOL)
_SPACE: Final = np.uint8(characters.SPACE)
_NO_CODE: Final = np.int64(0)
_KNOWN_SHIFT: Final = np.uint64(64 - words.KNOWN_BITS)
_LEAD_3: Final = 0xE0
_LEAD_4: Final = 0xF0
_MAX_TAG: Final = 32
"""Bytes of a markup tag such as </answer>, whose brackets are no relations."""

_THOUSANDS: Final = 3
_BLANK, _EXCLAMATION, _DOUBLE, _DOLLAR, _PERCENT, _SINGLE, _ROUND = (ord(c) for c in " !\"$%'(")
_STAR, _PLUS, _COMMA, _MINUS, _POINT, _SLASH, _COLON, _LESS = (ord(c) for c in "*+,-./:<")
_EQUAL, _MORE, _CARET, _UNDERSCORE, _A, _I, _N, _T, _Z = (ord(c) for c in "=>^_aintz")
_ZERO, _NINE, _UPPER, _UPPER_END, _HIGH = ord("0"), ord("9"), ord("A"), ord("Z"), 0x80


def guards(block: Block, found: Tokens) -> Hashes:
    """Return the guard of every row; 0 for a row without protected tokens."""
    table = words.vocabulary()
    result = np.zeros(len(block.starts), np.uint64)
    row_guards(
        block.data,
        (block.starts, block.ends, found.offsets),
        (found.starts, found.ends, found.hashes, found.kinds),
        (table.hashes, table.meanings, table.values, table.known),
        characters.character_classes(),
        result,
    )
    return result


@lean
def row_guards(
    data: Bytes,
    rows: tuple[Places, Places, Places],
    found: tuple[Places, Places, Hashes, Bytes],
    table: tuple[Hashes, Bytes, Hashes, Flags],
    classes: Bytes,
    result: Hashes,
) -> None:
    """Write the guards of all rows of a block."""
    row_starts, row_ends, offsets = rows
    for row in range(len(row_starts)):
        span = (row_starts[row], row_ends[row], offsets[row], offsets[row + 1])
        result[row] = _row_guard(data, span, found, table, classes)


@lean
def _row_guard(
    data: Bytes,
    span: tuple[int, int, int, int],
    found: tuple[Places, Places, Hashes, Bytes],
    table: tuple[Hashes, Bytes, Hashes, Flags],
    classes: Bytes,
) -> np.uint64:
    """Return the guard of one row.

    Args:
        data: of the block.
        span: start and end of the row, its first word and the word after its last.
        found: words, see `Tokens`.
        table: see `Vocabulary`.
        classes: of characters.
    """
    row_start, row_end, word, last = span
    starts, ends, hashes, kinds = found
    total, chain, before, number_start, is_led = _NONE, _NONE, row_start, row_start, False
    while word < last:
        start = starts[word]
        is_plain = not (table[3][hashes[word] >> _KNOWN_SHIFT] or kinds[word] & _DIGIT)
        is_plain &= chain == _NONE and start - before == 1 and ends[word] - start > 1
        if is_plain and data[before] == _BLANK:  # what most words are
            before, is_led = ends[word], False
            word += 1
            continue
        slot = _slot(hashes[word], table[0])
        meaning = table[1][slot] if slot >= 0 else _NO_MEANING
        begins, follows = _is_digit(data[start]), chain != _NONE
        symbols = _NONE
        if start - before > 1 or (start > before and data[before] != _BLANK):
            gap = (row_start, before, start, row_end)
            symbols = _symbols(data, gap, (follows, begins, number_start), classes)
        if begins or meaning & _NUMBER:
            chain = (chain ^ symbols ^ _NUMBER_SEED) * _BASE
            number_start = start
            chain, word = _with_number(chain, data, (row_start, word, last), found, table)
            before, is_led = ends[word - 1], False
            continue
        total = _then(total, _ended(chain, symbols))
        chain = _NONE
        if kinds[word] & _DIGIT:
            total = _then(total, mix(hashes[word] ^ _SYMBOL_SEED))
        elif ends[word] - start == 1 and data[start] < _HIGH:
            letter = _letter(data, (row_start, start, row_end), hashes[word], is_led, classes)
            total = _then(total, letter)
        elif meaning & _PROTECTED:
            total = _then(total, mix(table[2][slot]))
        is_led = meaning & _LEAD != 0
        before = ends[word]
        word += 1
    gap = (row_start, before, row_end, row_end)
    symbols = _symbols(data, gap, (chain != _NONE, False, number_start), classes)
    return mix(_then(total, _ended(chain, symbols)))


@lean
def _then(total: np.uint64, token: np.uint64) -> np.uint64:
    """Return the state after one more protected token; 0 is none."""
    return total if token == _NONE else (total ^ token) * _BASE


@lean
def _ended(chain: np.uint64, symbols: np.uint64) -> np.uint64:
    """Return what a chain of numbers and the symbols after it count as, or symbols alone."""
    if symbols != _NONE:
        return mix((chain ^ symbols) * _BASE)
    return mix(chain)


@lean
def _with_number(
    chain: np.uint64,
    data: Bytes,
    span: tuple[int, int, int],
    found: tuple[Places, Places, Hashes, Bytes],
    table: tuple[Hashes, Bytes, Hashes, Flags],
) -> tuple[np.uint64, int]:
    """Return `chain` after a number and its unit, and the next word.

    Args:
        chain: state so far.
        data: of the block.
        span: start of the row, word that is or begins the number, word after the row's last.
        found: words, see `Tokens`.
        table: see `Vocabulary`.
    """
    row_start, word, last = span
    starts, ends, hashes, _ = found
    if _is_digit(data[starts[word]]):
        number, suffix, word = _number(data, row_start, (word, last), found)
        chain = (chain ^ number) * _BASE
        if suffix != _NONE:
            slot = _slot(suffix, table[0])
            is_unit = slot >= 0 and table[1][slot] & _UNIT
            chain = (chain ^ (table[2][slot] if is_unit else suffix)) * _BASE
    else:
        chain = (chain ^ table[2][_slot(hashes[word], table[0])]) * _BASE
        word += 1
    if word < last and _is_joined(data, ends[word - 1], starts[word]):
        slot = _slot(hashes[word], table[0])
        if slot >= 0 and table[1][slot] & _UNIT:
            chain = (chain ^ table[2][slot]) * _BASE
            word += 1
    return chain, word


@lean
def _slot(word: np.uint64, hashes: Hashes) -> int | np.int64:
    """Return where a word stands in the table, -1 if it does not."""
    slot = np.int64(word & np.uint64(len(hashes) - 1))
    while hashes[slot] != _NONE:
        if hashes[slot] == word:
            return slot
        slot = (slot + 1) & (len(hashes) - 1)
    return -1


@lean
def _is_digit(byte: np.uint8) -> bool:
    return bool(_ZERO <= byte <= _NINE)


@lean
def _lower(byte: np.uint8) -> np.uint64:
    return np.uint64(byte | np.uint8(32)) if _UPPER <= byte <= _UPPER_END else np.uint64(byte)


@lean
def _digits_end(data: Bytes, start: int, end: int) -> int:
    place = start
    while place < end and _is_digit(data[place]):
        place += 1
    return place


@lean
def _with_digits(state: np.uint64, data: Bytes, start: int, end: int) -> np.uint64:
    for place in range(start, end):
        state = (state ^ np.uint64(data[place])) * _PRIME
    return state


@lean
def _number(
    data: Bytes,
    row_start: int,
    span: tuple[int, int],
    found: tuple[Places, Places, Hashes, Bytes],
) -> tuple[np.uint64, np.uint64, int]:
    """Return hashes of the number at word `span[0]` and of letters glued to it; the next word."""
    word, last = span
    starts, ends, _, _ = found
    state, start, end = _NUMBER_SEED, starts[word], ends[word]
    stop = _digits_end(data, start, end)
    is_fraction = _follows_point(data, row_start, start)
    if is_fraction:
        state = (state ^ np.uint64(_ZERO)) * _PRIME
        state = (state ^ np.uint64(_POINT)) * _PRIME
    state = _with_digits(state, data, start, stop)
    is_grouped = not is_fraction and stop - start <= _THOUSANDS
    n_points = 0
    while stop == end and word + 1 < last and starts[word + 1] == end + 1:
        mark, first = data[end], starts[word + 1]
        after = _digits_end(data, first, ends[word + 1])
        if mark == _COMMA and is_grouped and after - first == _THOUSANDS:
            state = _with_digits(state, data, first, after)
        elif mark == _POINT and after > first:
            n_points += 1
            is_grouped = False
            goes_on = (
                after == ends[word + 1]
                and word + 2 < last
                and data[after] == _POINT
                and starts[word + 2] == after + 1
                and _is_digit(data[after + 1])
            )
            is_whole = n_points == 1 and not goes_on and _is_zero(data, first, after)
            if not is_whole:
                state = (state ^ np.uint64(_POINT)) * _PRIME
                state = _with_digits(state, data, first, after)
        else:
            break
        word += 1
        stop, end = after, ends[word]
    suffix = _WORD_SEED
    for place in range(stop, end):
        suffix = (suffix ^ _lower(data[place])) * _PRIME
    return mix(state), mix(suffix) if stop < end else _NONE, word + 1


@lean
def _is_zero(data: Bytes, start: int, end: int) -> bool:
    zeros = 0
    for place in range(start, end):
        zeros += data[place] == _ZERO
    return zeros == end - start


@lean
def _follows_point(data: Bytes, row_start: int, start: int) -> bool:
    """Return whether a decimal point without digits before it stands there, as in "is .5"."""
    if start - 1 < row_start or data[start - 1] != _POINT:
        return False
    if start - 2 < row_start:
        return True
    byte = data[start - 2]
    return byte <= _BLANK or byte in (_ROUND, _DOLLAR, _MINUS, _PLUS, _EQUAL, _LESS, _MORE)


@lean
def _is_joined(data: Bytes, start: int, end: int) -> bool:
    """Return whether only white space or one hyphen stands between a number and a word."""
    if end - start == 1 and data[start] == _MINUS:
        return True
    for place in range(start, end):
        if data[place] > _BLANK:
            return False
    return end > start


@lean
def _letter(
    data: Bytes,
    span: tuple[int, int, int],
    word: np.uint64,
    is_led: bool,  # noqa: FBT001 - kernels know no keywords
    classes: Bytes,
) -> np.uint64:
    """Return what a word of one letter counts as: an option, part of "n't", or nothing."""
    row_start, start, row_end = span
    letter = _lower(data[start])
    if start - 2 >= row_start and data[start - 1] == _SINGLE:
        owner = _lower(data[start - 2])
        if owner == _N and letter == _T:
            return mix(_NOT)
        if _A <= owner <= _Z:
            return _NONE
    if is_led or letter not in (_A, _I):
        return mix(word)
    place = start + 1
    while place < row_end and classes[data[place]] == _SPACE:
        place += 1
    if place == row_end:
        return mix(word)
    is_article = place > start + 1 or data[place] in (_SINGLE, _MINUS, _ROUND, _SLASH)
    return _NONE if is_article else mix(word)


@lean
def _symbols(
    data: Bytes,
    span: tuple[int, int, int, int],
    numbers: tuple[bool, bool, int],
    classes: Bytes,
) -> np.uint64:
    """Return the hash of the protected symbols between two words, in order; 0 if there is none.

    Args:
        data: of the block.
        span: start of the row, of the gap, end of the gap, of the row.
        numbers: whether a number precedes, whether digits follow, where the number began.
        classes: of characters.
    """
    _, start, end, _ = span
    state = _NONE
    place = start
    while place < end:
        byte = data[place]
        code, size = np.int64(byte), 1
        if byte >= _HIGH:
            code, size = _symbol(data, place, end, classes)
        elif byte <= _BLANK or not _counts(data, place, span, numbers):
            code = _NO_CODE
        if code > 0:
            state = (state ^ _SYMBOL_SEED ^ np.uint64(code)) * _BASE
        place += size
    return state


@lean
def _symbol(data: Bytes, place: int, end: int, classes: Bytes) -> tuple[np.int64, int]:
    """Return the code point of a symbol beyond ASCII, 0 for another character; and its bytes."""
    lead = np.int64(data[place])
    size = 2 if lead < _LEAD_3 else 3 if lead < _LEAD_4 else 4
    size = min(size, end - place)
    code = lead & (0x7F >> size)
    for follower in range(place + 1, place + size):
        code = code << 6 | np.int64(data[follower]) & 0x3F
    is_symbol = code < len(classes) and classes[code] == _SYMBOL
    return code if is_symbol else _NO_CODE, size


@lean
def _counts(
    data: Bytes, place: int, span: tuple[int, int, int, int], numbers: tuple[bool, bool, int]
) -> bool:
    """Return whether the ASCII symbol at `place` is protected where it stands."""
    row_start, start, end, row_end = span
    after_number, before_digits, number_start = numbers
    byte = data[place]
    following = data[place + 1] if place + 1 < end else np.uint8(_BLANK)
    preceding = data[place - 1] if place > start else np.uint8(_BLANK)
    if byte in (_LESS, _MORE):
        return not _is_tag(data, place, row_start, row_end)
    if byte == _MINUS:
        is_hyphen = place == start > row_start and not after_number
        return before_digits and not is_hyphen and preceding != _MINUS and _leads(data, place, end)
    if byte in (_STAR, _SLASH, _COLON):
        is_alone = _STAR not in (following, preceding) if byte == _STAR else end - start == 1
        return after_number and before_digits and is_alone
    is_glued = after_number and place == start
    if byte in (_SINGLE, _DOUBLE):
        return is_glued and (number_start == row_start or data[number_start - 1] != byte)
    return (
        byte in (_PLUS, _EQUAL, _CARET)
        or (byte == _PERCENT and after_number)
        or (byte == _DOLLAR and before_digits and place + 1 == end)
        or (byte == _EXCLAMATION and (following == _EQUAL or is_glued))
    )


@lean
def _leads(data: Bytes, place: int, end: int) -> bool:
    """Return whether only white space, "$", "." and "(" stand between a sign and its number."""
    for other in range(place + 1, end):
        byte = data[other]
        if byte > _BLANK and byte not in (_DOLLAR, _POINT, _ROUND):
            return False
    return True


@lean
def _is_tag(data: Bytes, place: int, row_start: int, row_end: int) -> bool:
    """Return whether the bracket at `place` opens or closes markup such as <answer> or </b>."""
    opens = data[place] == _LESS
    step, other = (1, _MORE) if opens else (-1, _LESS)
    for distance in range(1, _MAX_TAG):
        at = place + step * distance
        if not row_start <= at < row_end:
            return False
        byte = data[at]
        if byte == other:
            first = data[place + 1] if opens else data[at + 1]
            return distance > 1 and not _is_digit(first)
        letter = _lower(byte)
        is_name = _A <= letter <= _Z or _is_digit(byte) or byte in (_SLASH, _MINUS, _UNDERSCORE)
        if not is_name:
            return False
    return False
