"""Looks at the table that fail, or that meet a compaction: what was paid stays known."""

from pathlib import Path

import pytest

from infra.lake.lake import Lake, Part
from infra.ledger.compaction import compact_ledger
from infra.ledger.ledger import Ledger
from sightline.errors import LakeError
from sightline.schemas import LEDGER, Contract
from tests.infra.teachers import paid_row


class JoiningLake(Lake):
    """A lake whose parts are joined right after they were listed, once."""

    is_due = True

    def parts(self, contract: Contract) -> list[Part]:
        listed = super().parts(contract)
        if self.is_due:
            self.is_due = False
            compact_ledger(Lake(self.uri))
        return listed


class FailingLake(Lake):
    """A lake that cannot be read while it is told so."""

    is_down = False

    def parts(self, contract: Contract) -> list[Part]:
        if self.is_down:
            msg = "the lake is down"
            raise LakeError(msg)
        return super().parts(contract)


def commit(lake: Lake, spool: Path, *numbers: int) -> None:
    with Ledger(lake, spool) as ledger:
        for number in numbers:
            ledger.record(paid_row(number)).result()
            ledger.flush()


def test_parts_that_are_joined_during_the_first_look_are_known(local_lake: Lake, tmp_path: Path):
    commit(local_lake, tmp_path, 1, 2)
    with Ledger(JoiningLake(local_lake.uri), tmp_path) as ledger:
        assert ledger.lookup(*paid_row(1).call_key) is not None
        assert len(local_lake.parts(LEDGER)) == 1


def test_look_that_failed_is_made_again(local_lake: Lake, tmp_path: Path):
    commit(local_lake, tmp_path, 1)
    lake = FailingLake(local_lake.uri)
    with Ledger(lake, tmp_path) as ledger:
        commit(local_lake, tmp_path, 2)
        lake.is_down = True
        with pytest.raises(LakeError):
            ledger.lookup(*paid_row(2).call_key)
        lake.is_down = False
        assert ledger.lookup(*paid_row(2).call_key) is not None
