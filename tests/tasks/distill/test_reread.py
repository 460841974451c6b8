from typing import Any

import pyarrow as pa

from sightline.schemas import FAILURES, STEPS, VERDICTS
from tasks.distill.reread import Change, ReadState, Reread


def _step(position: int, kind: str, text: str) -> dict[str, Any]:
    return {
        "generation_id": "g", "position": position, "chain_id": "c", "sample_id": "s", "round": 1,
        "kind": kind, "text": text,
    }  # fmt: skip


def _state(*steps: dict[str, Any], passed: bool = True) -> ReadState:
    verdict = {"subject_id": "c", "rule": "answer", "passed": passed}
    return ReadState(
        pa.Table.from_pylist(list(steps), schema=STEPS.payload),
        FAILURES.empty(),
        pa.Table.from_pylist([verdict], schema=VERDICTS.payload),
    )


def test_change_to_equal_rows_in_another_order_is_none() -> None:
    first, second = _step(0, "reasoning", "r"), _step(1, "answer", "a")
    change = _state(first, second).change_to(_state(second, first))
    unchanged = Change(1, 1, 0)
    assert change == Reread(unchanged, Change(2, 2, 0), Change(), unchanged)


def test_change_counts_rows_that_differ_appear_and_vanish() -> None:
    before = _state(_step(0, "reasoning", "r"), _step(1, "answer", "a"))
    after = _state(_step(1, "answer", "b"), _step(2, "cite", "c"), passed=False)
    change = before.change_to(after)
    assert change.answers == Change(1, 1, 1)
    assert change.steps == Change(2, 2, 3)
    assert change.verdicts == Change(1, 1, 1)
    assert (change + change).steps == Change(4, 4, 6)
