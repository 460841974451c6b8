from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.ledger.view import LedgerView
from tests.infra.teachers import paid_row


def test_view_of_a_lake_that_is_not_there_finds_nothing_and_writes_nothing(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    assert LedgerView(lake, tmp_path / "spool").lookup("0" * 64, 0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_flushed", [True, False])
def test_view_finds_a_call_in_the_table_and_in_the_spool_of_another(
    tmp_path: Path, *, is_flushed: bool
):
    lake, row = Lake(tmp_path / "lake"), paid_row(1)
    with Ledger(lake, tmp_path / "spool") as ledger:
        ledger.record(row).result()
        if is_flushed:
            ledger.flush()
        view = LedgerView(lake, tmp_path / "spool")
        assert view.lookup(*row.call_key) == row
        assert view.lookup(row.request_key, row.draw + 1) is None


def test_view_finds_a_call_that_was_committed_after_it_was_opened(tmp_path: Path):
    lake, row = Lake(tmp_path / "lake"), paid_row(1)
    with Ledger(lake, tmp_path / "spool") as ledger:
        ledger.record(row).result()
        view = LedgerView(lake, tmp_path / "spool")
        ledger.flush()
        assert view.lookup(*row.call_key) == row
