"""What another reading of stored replies changed: rows before and after, counted by kind.

Provenance says which run wrote a row, so it differs by definition; only payload is compared.  Rows
are matched by key, and one that appears or vanishes counts as changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from sightline.schemas import FAILURES, STEPS, VERDICTS, Contract

Rows = Mapping[Any, Any]
"""Comparable content of a row by its key."""


@dataclass(frozen=True, slots=True)
class Change:
    """How many rows there were and are, and how many of them differ."""

    before: int = 0
    after: int = 0
    changed: int = 0

    @classmethod
    def between(cls, before: Rows, after: Rows) -> "Change":
        """Return the change from one set of rows to another."""
        changed = sum(before.get(key) != after.get(key) for key in {*before, *after})
        return cls(len(before), len(after), changed)

    def __add__(self, other: "Change") -> "Change":
        return Change(
            self.before + other.before, self.after + other.after, self.changed + other.changed
        )


@dataclass(frozen=True, slots=True)
class Reread:
    """What a reading of stored replies changed.

    Attributes:
        answers: chains that have an answer, by its text.
        steps: elements of traces.
        unread: replies and chains that the parser reports as failures.
        verdicts: judgements of the rules.
    """

    answers: Change = Change()
    steps: Change = Change()
    unread: Change = Change()
    verdicts: Change = Change()

    def __add__(self, other: "Reread") -> "Reread":
        return Reread(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class ReadState:
    """The rows that come from reading the replies of one part.

    Attributes:
        steps: rows of `steps`.
        failures: rows of `failures` of the parse step.
        verdicts: rows of `verdicts`.
    """

    steps: pa.Table
    failures: pa.Table
    verdicts: pa.Table

    def change_to(self, after: "ReadState") -> Reread:
        """Return what differs in `after`."""
        return Reread(
            answers=Change.between(_answers(self.steps), _answers(after.steps)),
            steps=Change.between(_rows(STEPS, self.steps), _rows(STEPS, after.steps)),
            unread=Change.between(_rows(FAILURES, self.failures), _rows(FAILURES, after.failures)),
            verdicts=Change.between(
                _rows(VERDICTS, self.verdicts), _rows(VERDICTS, after.verdicts)
            ),
        )


KEYS: Mapping[str, tuple[str, ...]] = {
    STEPS.name: ("generation_id", "position"),
    FAILURES.name: ("item_id", "code"),
    VERDICTS.name: ("subject_id", "rule"),
}


def _answers(steps: pa.Table) -> Rows:
    rows = _plain(steps, ("chain_id", "kind", "text"))
    return {row["chain_id"]: row["text"] for row in rows if row["kind"] == "answer"}


def _rows(contract: Contract, table: pa.Table) -> Rows:
    keys = KEYS[contract.name]
    rows = _plain(table, contract.payload.names)
    return {tuple(row[key] for key in keys): row for row in rows}


def _plain(table: pa.Table, columns: Iterable[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(list(columns)).to_pylist()
    return rows
