"""Marks and commits in a table's Delta log; `infra.lake.lake` says when they are used.

The mark of a part is an application transaction: its id is the part's name, its version the
fingerprint as a number.  delta-rs refuses a mark that someone else set only on a handle older than
that commit, so every function here works on a handle opened for this one use (ADR 0002).
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from sightline.provenance import FINGERPRINT_HEX_CHARS
from sightline.schemas import Contract
from sightline.snapshot import DataFile

T = TypeVar("T")

DROPPED = 0
"""Transaction version of a dropped part; no fingerprint is 0 in practice (one in 2^60)."""

CHECKPOINT_COMMITS = "20"
"""A fresh handle reads the last checkpoint and every commit after it, one request each."""

COMMIT_ATTEMPTS = 40


def until_accepted(commit: Callable[[], T]) -> T:
    """Return what `commit` returns once it is not refused; it must open a fresh handle itself."""
    attempts = Retrying(
        retry=retry_if_exception_type(CommitFailedError),
        stop=stop_after_attempt(COMMIT_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.02, max=1.0),
        reraise=True,
    )
    return attempts(commit)


def replace_parts(
    handle: DeltaTable,
    contract: Contract,
    files: Sequence[AddAction],
    marks: Mapping[str, int],
    *,
    filled: AbstractSet[str],
) -> None:
    """Commit `files` as all that the parts of `marks` hold; `filled` have rows on this handle."""
    replaces = not filled.isdisjoint(marks)
    handle.create_write_transaction(
        list(files),
        mode="overwrite" if replaces else "append",
        schema=DeltaSchema.from_arrow(contract.schema),
        partition_by=["part"],
        partition_filters=[("part", "in", sorted(marks))] if replaces else None,
        commit_properties=CommitProperties(
            app_transactions=[Transaction(part, version) for part, version in marks.items()]
        ),
    )


def mark_of(handle: DeltaTable, part: str) -> str | None:
    """Return the fingerprint a part is committed with, None without one or if it was dropped."""
    version = handle.transaction_version(part)
    if version is None or version == DROPPED:
        return None
    return f"{version:0{FINGERPRINT_HEX_CHARS}x}"


def marks_of(
    handle: DeltaTable, files: Sequence[DataFile], parts: Sequence[str]
) -> dict[str, str | None]:
    """Return the mark of each part, from its files' statistics where they are there.

    All rows of a part carry its fingerprint, and asking the log costs one pass over it per part.
    """
    stated = {
        file.part: str(file.lowest["fingerprint"])
        for file in files
        if file.lowest.get("fingerprint") == file.highest.get("fingerprint", "")
    }
    return {part: stated.get(part) or mark_of(handle, part) for part in parts}


def evolved(handle: DeltaTable, contract: Contract) -> DeltaTable:
    """Return a handle whose table has every column; a version may gain nullable ones."""
    known = {column.name for column in handle.schema().fields}
    wanted = DeltaSchema.from_arrow(contract.schema).fields
    added = [column for column in wanted if column.name not in known]
    if added:
        handle.alter.add_columns(added)
    return handle
