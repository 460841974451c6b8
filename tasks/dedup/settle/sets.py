"""Sets of shingles, row after row in one array: which rows to take, and a short parity of each.

Kernels of their own: nothing here compares (`kernels`), and the disk cache follows the file.
"""

from typing import Final

import numpy as np

from tasks.dedup.settle.kernels import PARITY_WORDS, Ints, Words
from tasks.text_keys.compiled import compiled

_PARITY_BITS: Final = np.uint64(64 * PARITY_WORDS - 1)


@compiled
def parities(offsets: Ints, shingles: Words) -> Words:
    """Return uint64[n, PARITY_WORDS]: for each bit, whether an odd number of shingles has it."""
    found = np.zeros((len(offsets) - 1, PARITY_WORDS), np.uint64)
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            bit = shingles[place] & _PARITY_BITS
            found[row, np.int64(bit >> np.uint64(6))] ^= np.uint64(1) << (bit & np.uint64(63))
    return found


@compiled
def gathered(offsets: Ints, values: Words, rows: Ints, new_offsets: Ints) -> Words:
    """Return the values of `rows`, row after row; `new_offsets` are where each row begins."""
    result = np.empty(new_offsets[-1], np.uint64)
    for place in range(len(rows)):
        own = values[offsets[rows[place]] : offsets[rows[place] + 1]]
        result[new_offsets[place] : new_offsets[place + 1]] = own
    return result
