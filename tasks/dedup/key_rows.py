"""Text keys as rows of `text_keys`, and such rows as the arrays that are compared.

Hashes are stored as two's complement, because Delta has no unsigned numbers; both directions only
reinterpret the bits.  A text without a word has neither bands nor signature nor shingles.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sightline.schemas import TEXT_KEYS
from tasks.dedup.text.keys import TextKeyParams, text_keys

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]

VERSION: Final = 1
"""Of tokens, guard and hashes; any change of a key is a new version."""

READ_COLUMNS: Final = tuple(name for name in TEXT_KEYS.payload.names if name != "item_kind")


def key_rows(texts: pa.Table, kind: str, params: TextKeyParams) -> pa.Table:
    """Return `text_keys` payload rows, one per row of `texts`, in its order.

    Args:
        texts: `item_id`, `text` (null is a text without words), `group_key` and `image_ids`.
        kind: what `item_id` names.
        params: of the keys.
    """
    keys = text_keys(texts["text"], params)
    n_rows = texts.num_rows
    has_words = np.diff(keys.offsets) > 0
    widths = np.where(has_words, keys.bands.shape[1], 0)
    signature = keys.signature[has_words]
    columns = {
        "item_id": texts["item_id"],
        "item_kind": pa.array([kind] * n_rows, pa.string()),
        "algorithm": pa.array([algorithm_of(params)] * n_rows, pa.string()),
        "group_key": texts["group_key"],
        "image_ids": texts["image_ids"],
        "exact_key": _signed(keys.exact),
        "guard_key": _signed(keys.guard),
        "n_tokens": pa.array(keys.n_tokens, pa.int64()),
        "bands": _lists(_ends(widths), keys.bands[has_words].ravel()),
        "signature": _blobs(np.where(has_words, keys.signature.shape[1], 0), signature),
        "shingles": _lists(keys.offsets, keys.shingles),
    }
    return pa.table(columns).cast(TEXT_KEYS.payload)


def algorithm_of(params: TextKeyParams) -> str:
    """Return the name under which keys are stored; equal names mean comparable keys."""
    sizes = f"words{params.shingle_words}-minhash{params.bands}x{params.rows}"
    return f"{sizes}-seed{params.seed}-v{VERSION}"


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """The keys of many texts as arrays.

    Fields:
        bands: uint64[n, bands]; zeros where there are none.
        has_bands: bool[n].
        signature: uint8[n, bands * rows]; zeros where there is none.
        offsets: int64[n + 1] into `shingles`.
        shingles: uint64, ascending and unique within a row.
        exact: int64[n].
        guard: int64[n].
    """

    bands: Words
    has_bands: npt.NDArray[np.bool_]
    signature: npt.NDArray[np.uint8]
    offsets: Places
    shingles: Words
    exact: Places
    guard: Places

    @classmethod
    def of(cls, rows: pa.Table, params: TextKeyParams) -> "KeyColumns":
        """Return the keys in `rows`, which hold `READ_COLUMNS`."""
        n_rows = rows.num_rows
        has_bands = _list_lengths(rows["bands"]) > 0
        bands = np.zeros((n_rows, params.bands), np.uint64)
        bands[has_bands] = _flat(rows["bands"]).view(np.uint64).reshape(-1, params.bands)
        signature = np.zeros((n_rows, params.bands * params.rows), np.uint8)
        signature[has_bands] = _bytes_of(rows["signature"]).reshape(-1, signature.shape[1])
        return cls(
            bands=bands,
            has_bands=has_bands,
            signature=signature,
            offsets=_ends(_list_lengths(rows["shingles"])),
            shingles=_flat(rows["shingles"]).view(np.uint64),
            exact=rows["exact_key"].to_numpy(),
            guard=rows["guard_key"].to_numpy(),
        )


def _signed(values: Words) -> pa.Array:
    return pa.array(np.ascontiguousarray(values).view(np.int64), pa.int64())


def _ends(lengths: Numbers) -> Places:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _lists(offsets: Places, values: Words) -> pa.Array:
    """Return a list per row; offsets of 64 bits, since a part may hold many shingles."""
    items = _signed(values)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), items)


def _blobs(widths: Numbers, rows: npt.NDArray[np.uint8]) -> pa.Array:
    offsets = _ends(widths)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    return pa.Array.from_buffers(pa.large_binary(), len(widths), buffers)


def _list_lengths(lists: pa.ChunkedArray) -> Places:
    lengths: Places = pc.list_value_length(lists).to_numpy().astype(np.int64)
    return lengths


def _flat(lists: pa.ChunkedArray) -> Places:
    """Return all items in order; chunk by chunk, since together they may exceed 32-bit offsets."""
    pieces = [chunk.flatten().to_numpy() for chunk in lists.chunks]
    return np.concatenate([*pieces, np.empty(0, np.int64)]).astype(np.int64, copy=False)


def _bytes_of(blobs: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    joined = b"".join(value for chunk in blobs.chunks for value in chunk.to_pylist())
    return np.frombuffer(joined, np.uint8)
