"""A slow second implementation of words, shingles and MinHash, written from the description.

It shares no code with the kernels: characters are classed by Python's own predicates, hashes are
Python integers, and the order of everything is spelled out.
"""

import unicodedata
from collections.abc import Iterator

MASK = (1 << 64) - 1
PRIME, BASE, SEED = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0x2545F4914F6CDD1D
UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3040, 0x312F), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip


def mixed(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor & MASK
    return value ^ value >> 33


def word_hash(word: str) -> int:
    state = SEED
    for byte in word.encode("utf-8", "surrogateescape"):
        state = (state ^ byte) * PRIME & MASK
    return mixed(state)


def words(text: str) -> list[str]:
    """Return the words of a text that is in its prepared form, or ASCII."""
    return list(_words(text))


def _words(text: str) -> Iterator[str]:
    run = ""
    for char in text:
        if _is_single(char):
            if run:
                yield run
            yield char
            run = ""
        elif _is_letter(char):
            run += char.lower() if char.isascii() else char
        elif run:
            yield run
            run = ""
    if run:
        yield run


def _is_single(char: str) -> bool:
    code = ord(char)
    if code >= 0x20000:
        return code < 0x40000
    category = unicodedata.category(char)
    is_letter = category[0] in "LMN" and category != "Nd"
    return is_letter and any(a <= code <= b for a, b in UNSPACED)


def _is_letter(char: str) -> bool:
    if char.isascii():
        return char.isalnum()
    return unicodedata.category(char)[0] in "LMNC" and unicodedata.category(char) != "Cc"


def gram_hash(hashes: list[int]) -> int:
    total = 0
    for value in hashes:
        total = (total * BASE + value) & MASK
    return mixed((total + len(hashes)) & MASK)


def grams(text: str, n: int) -> list[int]:
    hashes = [word_hash(word) for word in words(text)]
    return [gram_hash(hashes[i : i + n]) for i in range(len(hashes) - n + 1)]


def shingles(text: str, n: int) -> list[int]:
    hashes = [word_hash(word) for word in words(text)]
    if not hashes:
        return []
    return sorted(set(grams(text, n) if len(hashes) >= n else [gram_hash(hashes)]))


def permutations(n: int, seed: int) -> list[tuple[int, int]]:
    state = mixed(seed + 1)
    drawn = [mixed((state + k * PRIME) & MASK) for k in range(1, n + 1)]
    return [(value >> 32 | 1, value & 0xFFFFFFFF) for value in drawn]


def minima(shingle_set: list[int], n: int, seed: int) -> list[int]:
    return [
        min((a * (value >> 32) + b) & 0xFFFFFFFF for value in shingle_set)
        for a, b in permutations(n, seed)
    ]


def signature(least: list[int]) -> list[int]:
    return [((v ^ v >> 16) * 0x85EBCA6B & 0xFFFFFFFF) >> 24 for v in least]


def band_keys(least: list[int], bands: int) -> list[int]:
    rows = len(least) // bands
    return [_band_key(band, least[band * rows : (band + 1) * rows]) for band in range(bands)]


def _band_key(band: int, least: list[int]) -> int:
    key = band
    for value in least:
        key = (key ^ value) * BASE & MASK
        key ^= key >> 32
    return mixed(key)
