"""Hashes of n consecutive words: in order of the text, or sorted and unique as shingles.

A gram is hashed as a polynomial of its words' hashes, rolled over the text, then mixed; equal grams
have equal hashes in every row, column and process.  A row shorter than n words has one gram of all
its words as a shingle, so that short texts compare, and none where only whole n-grams count.
"""

from typing import Final

import numpy as np

from tasks.text_keys import hashing
from tasks.text_keys.blocks import Places
from tasks.text_keys.compiled import compiled
from tasks.text_keys.hashing import mix
from tasks.text_keys.tokens import Hashes

_BASE: Final = np.uint64(hashing.BASE)
_ZERO: Final = np.uint64(0)
_ONE: Final = np.uint64(1)
_MAX_BITS: Final = 12
"""Rows up to 4096 shingles are sorted by buckets of their upper bits, longer ones by NumPy."""


@compiled
def grams(offsets: Places, words: Hashes, n: int, keeps_short: bool) -> tuple[Places, Hashes]:  # noqa: FBT001
    """Return row offsets and grams in order of the text."""
    rows = len(offsets) - 1
    places = np.zeros(rows + 1, dtype=np.int64)
    for row in range(rows):
        n_words = offsets[row + 1] - offsets[row]
        short = 1 if keeps_short and n_words > 0 else 0
        places[row + 1] = places[row] + max(n_words - n + 1, short)
    found = np.empty(places[rows], dtype=np.uint64)
    power = _ONE
    for _ in range(n - 1):
        power *= _BASE
    for row in range(rows):
        first, last = offsets[row], offsets[row + 1]
        rolled = _ZERO
        for place in range(first, min(first + n, last)):
            rolled = rolled * _BASE + words[place]
        for gram in range(places[row], places[row + 1]):
            found[gram] = mix(rolled + np.uint64(min(n, last - first)))
            place = first + gram - places[row]
            if place + n < last:
                rolled = (rolled - words[place] * power) * _BASE + words[place + n]
    return places, found


@compiled
def sorted_unique(offsets: Places, hashes: Hashes) -> tuple[Places, Hashes]:
    """Return every row's hashes ascending and once each; hashes must be well mixed."""
    rows = len(offsets) - 1
    places = np.zeros(rows + 1, dtype=np.int64)
    found = np.empty(len(hashes), dtype=np.uint64)
    ends = np.zeros((1 << _MAX_BITS) + 1, dtype=np.int64)
    n = 0
    for row in range(rows):
        first, size = n, offsets[row + 1] - offsets[row]
        own = hashes[offsets[row] : offsets[row + 1]]
        ordered = found[first : first + size]
        if size <= 1 << _MAX_BITS:
            _by_bucket(own, ordered, ends)
        else:
            ordered[:] = np.sort(own)
        for place in range(size):
            value = ordered[place]
            if place == 0 or value != found[n - 1]:
                found[n] = value
                n += 1
        places[row + 1] = n
    return places, found[:n]


@compiled
def _by_bucket(values: Hashes, ordered: Hashes, ends: Places) -> None:
    """Sort `values` into `ordered`: one pass into buckets of the upper bits, then by insertion."""
    bits = 1
    while 1 << bits < len(values):
        bits += 1
    shift = np.uint64(64 - bits)
    ends[: (1 << bits) + 1] = 0
    for value in values:
        ends[(value >> shift) + _ONE] += 1
    for bucket in range(1 << bits):
        ends[bucket + 1] += ends[bucket]
    for value in values:
        bucket = value >> shift
        ordered[ends[bucket]] = value
        ends[bucket] += 1
    for place in range(1, len(ordered)):
        value = ordered[place]
        hole = place
        while hole > 0 and ordered[hole - 1] > value:
            ordered[hole] = ordered[hole - 1]
            hole -= 1
        ordered[hole] = value
