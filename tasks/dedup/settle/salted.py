"""Salted bands: keys that agree only where both the key and the item's salt do."""

import numpy as np
import numpy.typing as npt

from tasks.dedup.settle.kernels import Words, frozen
from tasks.text_keys.compiled import compiled


def salted(bands: npt.NDArray[np.uint64], salt: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return band keys that agree only where both the key and the item's salt do.

    Args:
        bands: uint64[n, bands].
        salt: uint64[n], such as a hash of image cluster, group and guard.
    """
    keys: npt.NDArray[np.uint64] = _salted(frozen(bands, np.uint64), frozen(salt, np.uint64))
    return keys


@compiled
def _salted(bands: Words, salt: Words) -> Words:
    """Mix the sum of key and mixed salt; one round of splitmix64 each."""
    result = np.empty(bands.shape, np.uint64)
    for item in range(bands.shape[0]):
        offset = _mixed(salt[item])
        for band in range(bands.shape[1]):
            result[item, band] = _mixed(bands[item, band] + offset)
    return result


@compiled
def _mixed(value: np.uint64) -> np.uint64:
    x = value + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
