"""A sample of a source's rows, for a pilot: which rows are in it follows from their keys alone.

Every row has a place in one fixed order, the hash of its key.  A share takes the rows up to that
place, a number takes the first so many, so a larger pilot holds every row of a smaller one and
appended rows move nothing.  Never the first rows of a file: those are often of one kind.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sightline.errors import UsageError
from tasks.ingest.source import LoadedRow, Source, SourceRow

PLACES: Final = 2**64
SIZE: Final = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%")


@dataclass(frozen=True, slots=True)
class PilotSize:
    """How many rows a pilot takes; exactly one of the two is set.

    Attributes:
        rows: this many, or all if there are fewer.
        share: this share of them, in (0, 1].
    """

    rows: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the size that `text` states, such as `200` or `1%`.

        Raises:
            UsageError: it is neither a number of rows nor a percentage up to 100.
        """
        found = SIZE.fullmatch(text.strip())
        if found and found[1] and int(found[1]) > 0:
            return cls(rows=int(found[1]))
        if found and found[2] and 0 < float(found[2]) <= 100:  # noqa: PLR2004 - percent
            return cls(share=float(found[2]) / 100)
        msg = (
            f"--pilot: expected a number of rows such as 200 or a share such as 1%, found {text!r}"
        )
        raise UsageError(msg)


class PilotSource:
    """A source cut down to its pilot rows.

    Attributes:
        listed: rows of the whole source, once `rows` was read.
    """

    def __init__(self, source: Source, size: PilotSize) -> None:
        self._source, self._size = source, size
        self.listed = 0

    @property
    def name(self) -> str:
        """Return the name of the dataset."""
        return self._source.name

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows of the pilot, in the order of the source."""
        listed = list(self._source.rows())
        self.listed = len(listed)
        last = _last_place(listed, self._size)
        yield from (row for row in listed if place(row) <= last)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield `rows` with their images."""
        return self._source.load(rows)


def place(row: SourceRow) -> int:
    """Return where the row stands among all, in [0, `PLACES`)."""
    digest = hashlib.sha256(f"pilot {row.row_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _last_place(rows: Sequence[SourceRow], size: PilotSize) -> int:
    if size.rows is None:
        return int((size.share or 0.0) * PLACES) - 1
    places = sorted({place(row) for row in rows})
    return places[: size.rows][-1] if places else 0
