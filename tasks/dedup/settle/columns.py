"""From columns of `text_keys` to what settling takes, without a copy where one chunk allows it.

Arrow holds the unsigned keys as two's complement.  A row without bands has an empty list.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import ContractError
from tasks.dedup.settle.similarity import Jaccard

COMPARED_COLUMNS: Final = ("item_id", "signature", "shingles")
"""Columns of `text_keys` that texts are compared by."""

TEXT_COLUMNS: Final = (*COMPARED_COLUMNS, "bands")
"""Columns of `text_keys` that settling a shard reads."""


@dataclass(frozen=True, slots=True, eq=False)
class TextEvidence:
    """What n texts collide and are compared by.

    Fields:
        bands: uint64[n, bands].
        has_bands: bool[n].
        similarity: over the n texts.
    """

    bands: npt.NDArray[np.uint64]
    has_bands: npt.NDArray[np.bool_]
    similarity: Jaccard


def text_evidence(keys: pa.Table, tau: float) -> TextEvidence:
    """Return the evidence of all rows of `keys`.

    Args:
        keys: `TEXT_COLUMNS` of `text_keys`, made by one algorithm.
        tau: least Jaccard similarity of duplicates.

    Raises:
        ContractError: rows have different numbers of bands or permutations.
    """
    bands, has_bands = bands_of(keys["bands"])
    return TextEvidence(bands, has_bands, jaccard_of(keys, tau))


def bands_of(
    column: pa.ChunkedArray,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Return `bands` uint64[n, bands], zeros where there are none, and `has_bands` bool[n].

    Raises:
        ContractError: rows have different numbers of bands.
    """
    bands, has_bands = _matrix(*_flat(column), "bands")
    return bands.view(np.uint64), has_bands


def jaccard_of(keys: pa.Table, tau: float) -> Jaccard:
    """Return the similarity over all rows of `keys`.

    Args:
        keys: `COMPARED_COLUMNS` of `text_keys`.
        tau: least Jaccard similarity of duplicates.

    Raises:
        ContractError: rows have different numbers of permutations.
    """
    offsets, shingles = _flat(keys["shingles"])
    signature = keys["signature"].cast(pa.large_binary())
    lengths = pc.fill_null(pc.binary_length(signature), 0).to_numpy()
    data = np.frombuffer(b"".join(c.buffers()[2] or b"" for c in _plain(signature)), np.uint8)
    matrix, _ = _matrix(np.concatenate([[0], np.cumsum(lengths)]), data, "signature")
    return Jaccard(offsets, shingles.view(np.uint64), matrix, tau)


def _flat(lists: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return offsets int64[n + 1] and all values of a list column; a null list is empty."""
    wide = lists.cast(pa.large_list(pa.int64()))
    lengths = pc.fill_null(pc.list_value_length(wide), 0).to_numpy()
    values = pc.list_flatten(wide).combine_chunks()
    flat = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), flat.to_numpy()


def _plain(column: pa.ChunkedArray) -> list[pa.Array]:
    """Return the chunks without offsets and nulls, so that their data buffers are their rows."""
    return [pa.concat_arrays([c, c[:0]]) for c in pc.fill_null(column, b"").chunks]


def _matrix(
    offsets: npt.NDArray[np.int64], values: npt.NDArray[Any], name: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return rows of equal width, zeros for an empty row, and which rows have values.

    Raises:
        ContractError: two rows that have values have different numbers of them.
    """
    lengths = np.diff(offsets)
    is_filled = lengths > 0
    width = int(lengths.max(initial=0))
    if (lengths[is_filled] != width).any():
        msg = f"expected {name} of one length, found {np.unique(lengths[is_filled]).tolist()}"
        raise ContractError(msg)
    if is_filled.all() and width:
        return values.reshape(-1, width), is_filled
    matrix = np.zeros((len(lengths), width), values.dtype)
    matrix[is_filled] = values.reshape(-1, max(width, 1))
    return matrix, is_filled
