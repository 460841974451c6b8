"""Takes responses that exist elsewhere into a ledger: once, however often the file is imported."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.ledger_io.curator import read_curator
from infra.ledger_io.foreign import LeftOut, rows_of
from infra.ledger_io.openai_batch import read_openai_batch
from infra.ledger_io.rows_file import read_rows
from infra.teacher.prices import Prices
from sightline.errors import UsageError

ROWS_PER_PART: Final = 4_096


class Source(StrEnum):
    """What wrote a file of responses."""

    SIGHTLINE = "sightline"
    OPENAI_BATCH = "openai-batch"
    CURATOR = "curator"


WITHOUT_REQUESTS: Final = {
    "data-designer": "a Data Designer dataset keeps the messages at most (`with_trace`), neither "
    "the model nor the parameters nor the response",
}
"""Formats that people ask for and that do not say what was paid."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What to read.

    Attributes:
        path: file of responses, or folder of a Curator run.
        source: what wrote it.
        requests: the input file of a batch.
        teacher: name of the model in the ledger, if it is another than the one asked for.
    """

    path: Path
    source: Source
    requests: Path | None = None
    teacher: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: rows found, those the ledger had not, and why entries were left out."""

    found: int
    new: int
    left_out: dict[str, int]


def source_named(name: str) -> Source:
    """Return the source of that name.

    Raises:
        UsageError: there is none; the reason if one could be expected.
    """
    if name in WITHOUT_REQUESTS:
        msg = f"{name} cannot be imported: {WITHOUT_REQUESTS[name]}"
        raise UsageError(msg)
    try:
        return Source(name)
    except ValueError as exc:
        msg = f"no format is called {name!r}; there are {', '.join(Source)}"
        raise UsageError(msg) from exc


def import_responses(ledger: Ledger, job: ImportJob, prices: Prices) -> Imported:
    """Commit the paid calls of a file to the ledger and leave out those it has.

    Raises:
        UsageError: the file is not what the job says.
        LakeError: the lake refuses.
    """
    reasons: Counter[str] = Counter()
    found = new = 0
    rows = _kept(_rows(job, prices), reasons)
    while group := list(islice(rows, ROWS_PER_PART)):
        found += len(group)
        new += _commit(ledger, group)
    return Imported(found, new, dict(reasons))


def _commit(ledger: Ledger, rows: list[LedgerRow]) -> int:
    """Commit rows as a part named after them; return how many are new."""
    digest = hashlib.sha256(b"\n".join(row.to_payload() for row in rows)).hexdigest()
    commit = ledger.commit_part(f"import-{digest[:32]}", rows)
    return 0 if commit.reused else commit.rows


def _kept(rows: Iterable[LedgerRow | LeftOut], reasons: "Counter[str]") -> Iterator[LedgerRow]:
    """Yield each call once, and count why entries give none."""
    seen: set[bytes] = set()
    for row in rows:
        if isinstance(row, LeftOut):
            reasons[row.reason] += 1
            continue
        name = hashlib.sha256(f"{row.request_key}/{row.draw}".encode()).digest()[:12]
        if name not in seen:
            seen.add(name)
            yield row


def _rows(job: ImportJob, prices: Prices) -> Iterator[LedgerRow | LeftOut]:
    match job:
        case ImportJob(source=Source.SIGHTLINE, requests=None, teacher=None):
            yield from read_rows(job.path)
        case ImportJob(source=Source.CURATOR, requests=None):
            yield from rows_of(read_curator(job.path), prices, job.teacher)
        case ImportJob(source=Source.OPENAI_BATCH, requests=Path() as requests):
            yield from rows_of(read_openai_batch(requests, job.path), prices, job.teacher)
        case _:
            msg = (
                "expected --requests, the input file, with openai-batch and with nothing else, "
                "and --teacher with all but sightline, whose rows are those of a recipe"
            )
            raise UsageError(msg)
