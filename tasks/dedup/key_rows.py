"""Text keys as rows of `text_keys`; `settle.columns` reads such rows as arrays again.

Hashes are stored as two's complement, because Delta has no unsigned numbers; both directions only
reinterpret the bits.  A text without a word has neither bands nor signature nor shingles.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.schemas import TEXT_KEYS
from tasks.text_keys.keys import TextKeyParams, text_keys

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]

VERSION: Final = 1
"""Of tokens, guard and hashes; any change of a key is a new version."""


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
