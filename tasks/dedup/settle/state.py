"""What is known after settling, so that a change needs to look at what it touches alone.

Every item ever added has a slot.  A deleted item leaves its slot until more than half are empty.
Live items of one component carry the same number; two live items that share a bucket are always
in one component.  In Arrow form the state is two tables: one row per slot, and one row per run
and band; both name the version of the form, and another version is refused.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.errors import LakeError
from tasks.dedup.settle.resolve import KEPT, LEADERS
from tasks.dedup.settle.runs import Run, renumbered

STATE_VERSION: Final = 1
_META: Final = b"sightline.settlement"

_ITEMS: Final = pa.schema(
    [
        pa.field("item", pa.large_string(), nullable=False),
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("is_live", pa.bool_(), nullable=False),
        pa.field("component", pa.int64(), nullable=False),
        pa.field("kept_by", pa.int64(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("band", pa.int16(), nullable=False),
    ]
)
_RUNS: Final = pa.schema(
    [
        pa.field("run", pa.int32(), nullable=False),
        pa.field("keys", pa.large_list(pa.uint64()), nullable=False),
        pa.field("slots", pa.large_list(pa.int32()), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """All items and what became of them.

    Fields:
        rule: of the similarity that verified, such as "jaccard>=0.8".
        leaders: kept members of a bucket that later members were compared with.
        item_ids: text[slots].
        priority: int64[slots], lower goes first.
        is_live: bool[slots]; false after an item was deleted.
        component: int64[slots], the slot that names the component; of live items a live one.
        kept_by: int64[slots], the slot of the kept item, or `KEPT`.
        similarity: float64[slots].
        band: int16[slots].
        runs: band keys of all items that have any.
    """

    rule: str
    leaders: int
    item_ids: pa.ChunkedArray
    priority: npt.NDArray[np.int64]
    is_live: npt.NDArray[np.bool_]
    component: npt.NDArray[np.int64]
    kept_by: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    band: npt.NDArray[np.int16]
    runs: tuple[Run, ...]

    def __len__(self) -> int:
        return len(self.priority)

    def decisions(self) -> pa.Table:
        """Return one row per live item: item, kept (null for a kept item), similarity, band."""
        live = np.flatnonzero(self.is_live)
        kept_by = self.kept_by[live]
        kept = pa.array(kept_by, mask=kept_by == KEPT)
        return pa.table(
            {
                "item": self.item_ids.take(pa.array(live)),
                "kept": self.item_ids.take(kept),
                "similarity": self.similarity[live],
                "band": self.band[live],
            }
        )

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """Return items and runs as Arrow tables."""
        meta = {"version": STATE_VERSION, "rule": self.rule, "leaders": self.leaders}
        marked = {_META: json.dumps(meta, sort_keys=True).encode()}
        columns = [
            self.item_ids, self.priority, self.is_live, self.component, self.kept_by,
            self.similarity, self.band,
        ]  # fmt: skip
        items = pa.table(columns, schema=_ITEMS.with_metadata(marked))
        numbers = [n for n, run in enumerate(self.runs) for _ in run.keys]
        keys = _listed([run.keys for run in self.runs], pa.uint64())
        slots = _listed([run.slots for run in self.runs], pa.int32())
        runs = pa.table([pa.array(numbers, pa.int32()), keys, slots], _RUNS.with_metadata(marked))
        return items, runs


def empty(rule: str, leaders: int = LEADERS) -> Settlement:
    """Return the state before the first item."""
    return Settlement(
        rule=rule,
        leaders=leaders,
        item_ids=pa.chunked_array([], pa.large_string()),
        priority=np.empty(0, np.int64),
        is_live=np.empty(0, np.bool_),
        component=np.empty(0, np.int64),
        kept_by=np.empty(0, np.int64),
        similarity=np.empty(0, np.float64),
        band=np.empty(0, np.int16),
        runs=(),
    )


def loaded(items: pa.Table, runs: pa.Table) -> Settlement:
    """Return the state that `Settlement.tables` wrote.

    Raises:
        LakeError: the tables are of another version or do not belong together.
    """
    meta = _meta(items)
    if meta.get("version") != STATE_VERSION or meta != _meta(runs):
        msg = (
            f"expected items and runs of settlement version {STATE_VERSION}, found {meta!r} and "
            f"{_meta(runs)!r}; delete the state, it is made again from the keys"
        )
        raise LakeError(msg)
    columns = {name: items[name].to_numpy() for name in items.column_names if name != "item"}
    numbers = runs["run"].to_numpy()
    found = [_run(runs.filter(pa.array(numbers == number))) for number in np.unique(numbers)]
    return Settlement(
        rule=meta["rule"],
        leaders=meta["leaders"],
        item_ids=items["item"],
        runs=tuple(found),
        **columns,
    )


def compacted(state: Settlement) -> Settlement:
    """Return the state without the slots of deleted items."""
    live = np.flatnonzero(state.is_live)
    places = np.full(len(state) + 1, KEPT, np.int64)
    places[live] = np.arange(len(live))
    return Settlement(
        rule=state.rule,
        leaders=state.leaders,
        item_ids=state.item_ids.take(pa.array(live)),
        priority=state.priority[live],
        is_live=state.is_live[live],
        component=places[state.component[live]],
        kept_by=places[state.kept_by[live]],
        similarity=state.similarity[live],
        band=state.band[live],
        runs=tuple(run for run in (renumbered(r, places) for r in state.runs) if len(run)),
    )


def _listed(parts: list[npt.NDArray[Any]], kind: pa.DataType) -> pa.ChunkedArray:
    """Return one list per row of the two-dimensional `parts`."""
    chunks = []
    for part in parts:
        offsets = np.arange(len(part) + 1, dtype=np.int64) * part.shape[1]
        chunks.append(pa.LargeListArray.from_arrays(offsets, pa.array(part.ravel(), kind)))
    return pa.chunked_array(chunks, pa.large_list(kind))


def _run(rows: pa.Table) -> Run:
    keys, slots = (
        rows[name].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
        for name in ("keys", "slots")
    )
    return Run(keys, slots)


def _meta(table: pa.Table) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((table.schema.metadata or {}).get(_META, b"{}"))
    return found
