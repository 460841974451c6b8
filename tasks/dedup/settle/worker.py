"""The worker that settles one shard of texts: whole components, all in one batch.

Half a component gives other decisions, so a batch says how many rows its shard has, and any error
stops the step instead of letting the pool look for the row that caused it in smaller batches.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sightline.errors import PoolError
from tasks.dedup.settle.columns import TEXT_COLUMNS, text_evidence
from tasks.dedup.settle.order import priority_order
from tasks.dedup.settle.resolve import LEADERS, settle

PRIORITY: Final = "priority"
SHARD_ROWS: Final = "shard_rows"


def shard_table(
    keys: pa.Table, items: npt.NDArray[np.int64], priority: npt.NDArray[np.int64]
) -> pa.Table:
    """Return the batch that settles `items`, one of `components.shards`.

    Args:
        keys: `TEXT_COLUMNS` of all n texts, bands salted.
        items: rows of the shard.
        priority: int64[n], lower goes first.
    """
    rows = keys.select(TEXT_COLUMNS).take(pa.array(items))
    columns = rows.append_column(PRIORITY, pa.array(priority[items]))
    return columns.append_column(SHARD_ROWS, pa.array(np.full(len(items), len(items))))


class SettleWorker:
    """Callable on tables from `shard_table`; gives one row per item that is dropped.

    Its rows are item_id, kept_id, similarity and band.
    """

    def __init__(self, tau: float, leaders: int = LEADERS) -> None:
        self._tau = tau
        self._leaders = leaders

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return who is dropped for whom.

        Raises:
            PoolError: the batch is not a whole shard, or it cannot be settled.
        """
        found = set(batch[SHARD_ROWS].unique().to_pylist())
        if found - {len(batch)}:
            msg = f"expected a shard of {sorted(found)} rows, found {len(batch)} of them"
            raise PoolError(msg)
        try:
            return self._settled(batch)
        except (ArithmeticError, LookupError, MemoryError, ValueError, pa.ArrowException) as exc:
            msg = f"expected to settle a shard of {len(batch)} rows, found {exc!r}"
            raise PoolError(msg) from exc

    def _settled(self, batch: pa.Table) -> pa.Table:
        evidence = text_evidence(batch, self._tau)
        order = priority_order(batch[PRIORITY].to_numpy(), batch["item_id"])
        settled = settle(
            evidence.bands, evidence.has_bands, order, evidence.similarity, leaders=self._leaders
        )
        dropped = np.flatnonzero(~settled.is_kept)
        return pa.table(
            {
                "item_id": batch["item_id"].take(pa.array(dropped)),
                "kept_id": batch["item_id"].take(pa.array(settled.kept_by[dropped])),
                "similarity": settled.similarity[dropped],
                "band": settled.band[dropped].astype(np.int64),
            }
        )
