"""Reads image bytes of table cells again when their rows are loaded.

A Parquet row group is the least that can be read, so the last one is kept: rows of a part mostly
stand in the same groups.  A cell that no longer holds the same bytes is a failure of its row.
"""

import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import Failure
from tasks.ingest.records import reread_line, starts_with_parquet
from tasks.ingest.source import Cell, ImageRef, LoadedImage, Problem, RowRefusedError
from tasks.ingest.table_cells import cell_items, embedded_bytes, item_at


class CellImages:
    """Image bytes by place; safe to use from many threads."""

    def __init__(self, files: tuple[Path, ...], column: str, max_bytes: int) -> None:
        self._files = files
        self._column = column
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._group: tuple[int, int] | None = None
        self._cells: pa.ChunkedArray = pa.chunked_array([], pa.null())

    def load(self, ref: ImageRef) -> LoadedImage:
        """Return the bytes behind `ref`, or why they are gone."""
        if ref.cell is None:
            return LoadedImage(ref, problem=ref.problem)
        try:
            items = cell_items(self._value(ref.cell))
            data = embedded_bytes(item_at(items, ref.cell.item), self._max_bytes)
        except RowRefusedError as exc:
            return LoadedImage(ref, problem=exc.problem)
        except (OSError, pa.ArrowException) as exc:
            return LoadedImage(ref, problem=_gone(f"{type(exc).__name__}: {exc}"))
        if data is None:
            return LoadedImage(ref, problem=_gone("the cell has changed since it was listed"))
        return LoadedImage(ref, data)

    def _value(self, cell: Cell) -> Any:
        path = self._files[cell.file]
        if not starts_with_parquet(path):
            return self._json_value(path, cell)
        with self._lock:
            if self._group != (cell.file, cell.start):
                with pq.ParquetFile(path) as file:
                    self._cells = file.read_row_group(cell.start, [self._column])[self._column]
                self._group = (cell.file, cell.start)
            column = self._cells
        return column[cell.at].as_py() if cell.at < len(column) else None

    def _json_value(self, path: Path, cell: Cell) -> Any:
        return reread_line(path, cell.start, cell.at).get(self._column)


def _gone(detail: str) -> Problem:
    return Problem(Failure.IMAGE_MISSING, detail)
