"""MinHash of bands x rows permutations: one band key per band, one byte per permutation.

A permutation is x -> a x + b modulo 2^32 with odd a, on 32 bits of the shingle's hash: linear
permutations as in Broder, Charikar, Frieze and Mitzenmacher, "Min-wise independent permutations"
(2000), read by their upper bits as in multiply-shift (Dietzfelbinger and others, 1997).  Over
well-mixed shingles each is unbiased; two sets of n shingles agree by chance in n / 2^32 of the
cases.  The byte is taken of the *mixed* minimum: the lowest bits of a linear permutation depend on
the lowest bits of x alone and would agree in all permutations at once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.text_keys import hashing
from tasks.text_keys.blocks import Bytes, Places
from tasks.text_keys.compiled import compiled
from tasks.text_keys.hashing import mix, mixed
from tasks.text_keys.tokens import Hashes

Words32 = npt.NDArray[np.uint32]

_BASE: Final = np.uint64(hashing.BASE)
_HIGH: Final = np.uint64(32)
_MAX32: Final = np.uint32(0xFFFFFFFF)
_MIX32: Final = np.uint32(0x85EBCA6B)


@dataclass(frozen=True, slots=True)
class Permutations:
    """Factors (odd) and summands of the permutations; (n,) uint32 each."""

    factors: Words32
    summands: Words32


def permutations(n: int, seed: int) -> Permutations:
    """Return the first `n` permutations of a seed; more of them begin with the same ones."""
    state = mixed((seed + 1) & hashing.MASK)
    values = [mixed((state + k * hashing.PRIME) & hashing.MASK) for k in range(1, n + 1)]
    drawn = np.array(values, dtype=np.uint64)
    return Permutations(
        factors=(drawn >> _HIGH).astype(np.uint32) | np.uint32(1),
        summands=drawn.astype(np.uint32),
    )


@compiled
def band_keys(
    offsets: Places, shingles: Hashes, factors: Words32, summands: Words32, bands: int
) -> tuple[npt.NDArray[np.uint64], Bytes]:
    """Return (rows, bands) keys, (rows, permutations) bytes; zeros for a row without shingles."""
    rows, size = len(offsets) - 1, len(factors)
    keys = np.zeros((rows, bands), dtype=np.uint64)
    signature = np.zeros((rows, size), dtype=np.uint8)
    least = np.empty(size, dtype=np.uint32)
    for row in range(rows):
        if offsets[row] == offsets[row + 1]:
            continue
        least[:] = _MAX32
        for place in range(offsets[row], offsets[row + 1]):
            _lower(least, np.uint32(shingles[place] >> _HIGH), factors, summands)
        _write_bytes(least, signature[row])
        _write_keys(least, keys[row])
    return keys, signature


@compiled
def _lower(least: Words32, value: np.uint32, factors: Words32, summands: Words32) -> None:
    for k in range(len(least)):
        image = np.uint32(value * factors[k] + summands[k])
        least[k] = min(least[k], image)


@compiled
def _write_bytes(least: Words32, signature: Bytes) -> None:
    for k in range(len(least)):
        value = least[k]
        value = np.uint32((value ^ (value >> np.uint32(16))) * _MIX32)
        signature[k] = np.uint8(value >> np.uint32(24))


@compiled
def _write_keys(least: Words32, keys: Hashes) -> None:
    per_band = len(least) // len(keys)
    for band in range(len(keys)):
        key = np.uint64(band)
        for k in range(band * per_band, (band + 1) * per_band):
            key = (key ^ np.uint64(least[k])) * _BASE
            key ^= key >> _HIGH
        keys[band] = mix(key)
