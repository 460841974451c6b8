"""A settlement in Arrow form: one row per item, 30 bytes and a bit per band.

Digests stand for ids (see `memory`), so no text is kept.  The table names the version of its form,
and another version is refused.
"""

import json
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sightline.errors import LakeError
from tasks.dedup.settle.memory import Remembered
from tasks.dedup.settle.resolve import Settled

STATE_VERSION: Final = 2
_META: Final = b"sightline.settlement"
_LEADS: Final = "leads"


def table_of(state: Remembered) -> pa.Table:
    """Return one row per item; `kept_by` is a row or negative, `leads` a bit per band."""
    settled = state.settled
    n_items, n_bands = settled.leads.shape
    bits = np.packbits(settled.leads, axis=1)
    leads = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(bits.shape[1]), n_items, [None, pa.py_buffer(np.ascontiguousarray(bits))]
    )
    columns = {
        "digest": pa.array(state.digests, pa.uint64()),
        "priority": pa.array(state.priority, pa.int64()),
        "kept_by": pa.array(settled.kept_by.astype(np.int32), pa.int32()),
        "similarity": pa.array(settled.similarity, pa.float64()),
        "band": pa.array(settled.band, pa.int16()),
        _LEADS: leads,
    }
    meta = {
        "version": STATE_VERSION,
        "rule": state.rule,
        "leaders": state.leaders,
        "bands": n_bands,
    }
    return pa.table(columns).replace_schema_metadata({_META: json.dumps(meta).encode()})


def state_of(table: pa.Table) -> Remembered:
    """Return the state that `table_of` wrote.

    Raises:
        LakeError: the table is of another version.
    """
    meta: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_META, b"{}"))
    if meta.get("version") != STATE_VERSION:
        msg = (
            f"expected a settlement of version {STATE_VERSION}, found {meta!r}; "
            "delete the state, it is made again from the keys"
        )
        raise LakeError(msg)
    n_items, n_bands = len(table), int(meta["bands"])
    packed = b"".join(c.buffers()[1] or b"" for c in _plain(table[_LEADS]))
    bits = np.frombuffer(packed, np.uint8).reshape(n_items, -(-n_bands // 8))
    settled = Settled(
        table["kept_by"].to_numpy().astype(np.int64),
        table["similarity"].to_numpy(),
        table["band"].to_numpy(),
        np.unpackbits(bits, axis=1, count=n_bands).view(np.bool_),
    )
    digests, priority = table["digest"].to_numpy(), table["priority"].to_numpy()
    return Remembered(meta["rule"], int(meta["leaders"]), digests, priority, settled)


def _plain(column: pa.ChunkedArray) -> list[pa.Array]:
    """Return the chunks without offsets, so that their data buffers are their rows."""
    return [pa.concat_arrays([chunk, chunk[:0]]) for chunk in column.chunks]
