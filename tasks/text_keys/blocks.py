"""Arrow text of any layout as blocks of bytes that kernels read.

Chunks, slices, dictionaries, 32-bit and 64-bit offsets, views, nulls and an all-null column all
become the same thing: one byte buffer and the place of every row in it.  A block is small enough
to stay in the processor's cache, and one row may be larger than a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.text_keys.characters import prepared
from tasks.text_keys.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

BLOCK_BYTES: Final = 1 << 18
BLOCK_ROWS: Final = 4096
_ASCII_END: Final = 0x80


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows; every row is ASCII or in the form of `prepared`.

    Fields:
        data: bytes of all rows, and possibly more between them.
        starts: (n,) position of every row's first byte.
        ends: (n,) position after every row's last byte; equal to `starts` for null.
        is_null: (n,) bool.
    """

    data: Bytes
    starts: Places
    ends: Places
    is_null: npt.NDArray[np.bool_]


def blocks(texts: pa.Array | pa.ChunkedArray) -> Iterator[Block]:
    """Yield all rows in order.

    Raises:
        TypeError: the column holds neither text nor bytes.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    for chunk in chunks:
        for first in range(0, len(chunk), BLOCK_ROWS):
            yield from _split(_as_binary(chunk.slice(first, BLOCK_ROWS)))


def _as_binary(rows: pa.Array) -> pa.LargeBinaryArray:
    if pa.types.is_dictionary(rows.type):
        return _as_binary(rows.dictionary).take(rows.indices)
    kind = rows.type
    is_text = (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_null(kind)
    )
    if not is_text:
        msg = f"expected a column of text or bytes, found {kind}; cast it first"
        raise TypeError(msg)
    return (rows.cast(pa.string()) if pa.types.is_null(kind) else rows).cast(pa.large_binary())


def _split(rows: pa.LargeBinaryArray) -> Iterator[Block]:
    """Yield blocks of about `BLOCK_BYTES`; a longer row is a block of its own."""
    _, offset_buffer, data_buffer = rows.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64, len(rows) + 1, rows.offset * 8)
    data = np.frombuffer(data_buffer or b"", np.uint8)
    is_null = rows.is_null().to_numpy(zero_copy_only=False)
    first = 0
    while first < len(rows):
        last = int(np.searchsorted(offsets, offsets[first] + BLOCK_BYTES, side="right")) - 1
        last = min(max(last, first + 1), len(rows))
        yield _block(data, offsets[first : last + 1], is_null[first:last])
        first = last


def _block(data: Bytes, offsets: Places, is_null: npt.NDArray[np.bool_]) -> Block:
    first = int(offsets[0])
    own = data[first : int(offsets[-1])]
    starts = offsets[:-1] - first
    ends = np.where(is_null, starts, offsets[1:] - first)
    foreign = np.flatnonzero(has_high_bytes(own, starts, ends))
    if len(foreign):
        texts = [prepared(own[starts[row] : ends[row]].tobytes()) for row in foreign]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        starts[foreign] = len(own) + np.cumsum(lengths) - lengths
        ends[foreign] = starts[foreign] + lengths
        own = np.concatenate([own, np.frombuffer(b"".join(texts), np.uint8)])
    return Block(own, starts, ends, is_null)


@compiled
def has_high_bytes(data: Bytes, starts: Places, ends: Places) -> npt.NDArray[np.bool_]:
    """Return for every row whether it holds a byte of 128 or more."""
    found = np.zeros(len(starts), dtype=np.bool_)
    for row in range(len(starts)):
        seen = np.uint8(0)
        for place in range(starts[row], ends[row]):
            seen |= data[place]
        found[row] = seen >= _ASCII_END
    return found
