"""Rows of committed ledger parts, read when asked for and kept while there is room.

A re-run asks for the calls of a part together, so a part is read once and kept whole, up to a
byte limit over all parts, the least recently used going first.  A part too large to keep is read
row by row with a filter instead.

Easy to get wrong: a part whose rows are in the index may have been joined with others since
(`infra/ledger/compaction.py`).  It then reads as empty, which says "look at the table again" and
never "this call was not paid".
"""

from collections import OrderedDict
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from infra.lake.lake import Lake
from infra.ledger.row import CallKey, LedgerRow
from sightline.schemas import LEDGER

MAX_CACHE_BYTES = 128 * 2**20
MAX_CACHED_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class _Loaded:
    table: pa.Table
    row_of: dict[CallKey, int]


class LedgerCache:
    """Reads committed calls; not thread-safe, the ledger guards it."""

    def __init__(self, lake: Lake, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._lake = lake
        self._max_bytes = max_bytes
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._bytes = 0

    def find(self, part: str, rows: int, key: CallKey) -> LedgerRow | None:
        """Return the call if `part`, which has `rows` rows, holds it.

        Raises:
            FileNotFoundError: the part has become part of another one.
        """
        if rows > MAX_CACHED_ROWS:
            return self._read_one(part, key)
        if part not in self._loaded:
            self._load(part)
        self._loaded.move_to_end(part)
        loaded = self._loaded[part]
        number = loaded.row_of.get(key)
        if number is None:
            return None
        return LedgerRow.from_columns(loaded.table.slice(number, 1).to_pylist()[0])

    def drop(self, part: str) -> None:
        """Forget a part that is in the table no longer."""
        dropped = self._loaded.pop(part, None)
        if dropped is not None:
            self._bytes -= dropped.table.nbytes

    def _load(self, part: str) -> None:
        table = self._lake.read(LEDGER, parts=[part], columns=LEDGER.payload.names)
        if not table.num_rows:
            raise FileNotFoundError(part)
        keys = zip(table["request_key"].to_pylist(), table["draw"].to_pylist(), strict=True)
        self._loaded[part] = _Loaded(table, {key: number for number, key in enumerate(keys)})
        self._bytes += table.nbytes
        while self._bytes > self._max_bytes and len(self._loaded) > 1:
            _, dropped = self._loaded.popitem(last=False)
            self._bytes -= dropped.table.nbytes

    def _read_one(self, part: str, key: CallKey) -> LedgerRow | None:
        is_it = (pc.field("request_key") == key[0]) & (pc.field("draw") == key[1])
        table = self._lake.read(LEDGER, parts=[part], where=is_it)
        if not table.num_rows and not self._lake.snapshot(LEDGER).of_parts([part]):
            raise FileNotFoundError(part)
        return LedgerRow.from_columns(table.slice(0, 1).to_pylist()[0]) if table.num_rows else None
