"""Outputs of several steps in one table, for a worker that does them in one go.

A pool knows one table per batch and looks into none.  A worker for several steps packs what each
gives into a row of its own; the driver unpacks it.  Rows that the pool itself blames (they killed
the worker) are failures of every step.
"""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from infra.pool.workers import BatchResult, RowFailure, WorkerOutput
from sightline.errors import Failure

PACKED: Final = pa.schema(
    [
        pa.field("step", pa.int32(), nullable=False),
        pa.field("rows", pa.large_binary(), nullable=False),
        pa.field("failures", pa.large_binary(), nullable=False),
    ]
)
"""One row per step and batch; tables as Arrow streams."""

FAILED: Final = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("item_id", "code", "detail")]
)


def pack(outputs: Sequence[WorkerOutput]) -> pa.Table:
    """Return the outputs of one batch, one per step, as one table."""
    rows = [
        {
            "step": step,
            "rows": _stream(output.table),
            "failures": _stream(_failed(output.failures)),
        }
        for step, output in enumerate(outputs)
    ]
    return pa.Table.from_pylist(rows, PACKED)


def unpack(result: BatchResult, steps: int) -> list[list[WorkerOutput]]:
    """Return the outputs of each of `steps` steps; several if the batch was halved."""
    found: list[list[WorkerOutput]] = [[] for _ in range(steps)]
    if result.table.num_columns:
        for row in result.table.to_pylist():
            output = WorkerOutput(_table(row["rows"]), _failures(_table(row["failures"])))
            found[row["step"]].append(output)
    if result.failed:
        for outputs in found:
            outputs.append(WorkerOutput(pa.table({}), result.failed))
    return found


def _failed(failures: Sequence[RowFailure]) -> pa.Table:
    rows = [{"item_id": f.item_id, "code": f.code.value, "detail": f.detail} for f in failures]
    return pa.Table.from_pylist(rows, FAILED)


def _failures(table: pa.Table) -> tuple[RowFailure, ...]:
    return tuple(
        RowFailure(row["item_id"], Failure(row["code"]), row["detail"]) for row in table.to_pylist()
    )


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _table(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()
