"""64-bit mixing, once for kernels and once for the tables that Python makes for them.

`mix` is the finaliser of MurmurHash3 (Austin Appleby, public domain): a bijection in which every
input bit flips half of the output bits.  A word is hashed byte by byte, `h = (h ^ byte) * PRIME`,
then mixed; a sequence of hashes as a polynomial in `BASE`, then mixed, which can be rolled.
"""

from typing import Final

import numpy as np

from tasks.text_keys.compiled import compiled

MASK: Final = (1 << 64) - 1
PRIME: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio; odd."""

BASE: Final = 0xD6E8FEB86659FD93
"""Odd, and not 1 or 3 modulo 8, so that its powers have the longest period."""

WORD_SEED: Final = 0x2545F4914F6CDD1D

_A: Final = np.uint64(0xFF51AFD7ED558CCD)
_B: Final = np.uint64(0xC4CEB9FE1A85EC53)
_S: Final = np.uint64(33)


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Return `value` with every bit spread over all bits."""
    value = (value ^ (value >> _S)) * _A
    value = (value ^ (value >> _S)) * _B
    return value ^ (value >> _S)


def mixed(value: int) -> int:
    """Return what `mix` returns, of a Python integer."""
    value = ((value ^ (value >> 33)) * int(_A)) & MASK
    value = ((value ^ (value >> 33)) * int(_B)) & MASK
    return value ^ (value >> 33)


def word_hash(word: bytes) -> int:
    """Return the hash that the kernels give a word, which must be in lower case."""
    state = WORD_SEED
    for byte in word:
        state = ((state ^ byte) * PRIME) & MASK
    return mixed(state)
