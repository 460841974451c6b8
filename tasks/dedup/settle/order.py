"""The total order of items: by priority, then by id, so that no order of rows shows through."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def priority_order(
    priority: npt.NDArray[np.int64], item_ids: pa.Array | pa.ChunkedArray
) -> npt.NDArray[np.int64]:
    """Return item numbers by falling priority: int64[n], a permutation.

    Args:
        priority: int64[n], lower goes first; such as 0 for released items and then by verdict.
        item_ids: text[n], unique; ties go by their bytes.
    """
    table = pa.table({"priority": pa.array(priority), "item": item_ids})
    keys = [("priority", "ascending"), ("item", "ascending")]
    order: npt.NDArray[np.int64] = pc.sort_indices(table, keys).to_numpy().astype(np.int64)
    return order
