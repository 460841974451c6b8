"""Joining parts of the ledger: same calls, fewer parts, and nobody is told that a call is new."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from infra.lake.lake import Lake
from infra.ledger.compaction import compact_ledger
from infra.ledger.disk_segments import segments
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.ledger.view import LedgerView
from sightline.schemas import LEDGER
from tests.infra.teachers import paid_row

PARTS, ROWS_EACH = 5, 3


def row(number: int) -> LedgerRow:
    return replace(paid_row(number), received_us=1_700_000_000_000_000 + number)


def filled(lake: Lake, folder: Path, numbers: Iterable[int] = range(PARTS * ROWS_EACH)) -> Ledger:
    """Return an open ledger with one part per `ROWS_EACH` of the rows."""
    ledger = Ledger(lake, folder)
    ledger.recover()
    for count, number in enumerate(numbers, start=1):
        ledger.record(row(number)).result()
        if count % ROWS_EACH == 0:
            ledger.flush()
    ledger.flush()
    return ledger


def payloads(lake: Lake) -> list[bytes]:
    table = lake.read(LEDGER)
    return sorted(LedgerRow.from_columns(found).to_payload() for found in table.to_pylist())


def test_joined_parts_hold_the_same_calls_in_the_order_they_came(lake: Lake, tmp_path: Path):
    filled(lake, tmp_path).close()
    before = payloads(lake)
    done = compact_ledger(lake)
    assert (done.parts_before, done.parts_after, done.rows) == (PARTS, 1, PARTS * ROWS_EACH)
    assert payloads(lake) == before
    assert lake.read(LEDGER)["subject_id"].to_pylist() == [
        f"sample_{number}" for number in range(PARTS * ROWS_EACH)
    ]
    assert compact_ledger(lake).rows == 0


def test_parts_do_not_grow_beyond_the_limit_and_large_ones_are_left_alone(
    local_lake: Lake, tmp_path: Path
):
    filled(local_lake, tmp_path).close()
    compact_ledger(local_lake, max_rows=7)
    assert sorted(part.rows for part in local_lake.parts(LEDGER)) == [3, 6, 6]
    assert compact_ledger(local_lake, max_rows=6).rows == 0


def test_open_ledger_finds_calls_whose_parts_were_joined_under_it(local_lake: Lake, tmp_path: Path):
    ledger, view = filled(local_lake, tmp_path), LedgerView(local_lake, tmp_path)
    assert ledger.lookup(*row(0).call_key) == row(0)  # its part is in the cache
    compact_ledger(local_lake)
    for number in range(PARTS * ROWS_EACH):
        assert ledger.lookup(*row(number).call_key) == row(number)
        assert view.lookup(*row(number).call_key) == row(number)
    assert ledger.lookup(*row(99).call_key) is None
    ledger.close()


def test_segment_committed_before_it_was_joined_is_not_committed_again(
    local_lake: Lake, tmp_path: Path
):
    ledger = Ledger(local_lake, tmp_path)
    ledger.record(row(1)).result()
    (path,) = segments(ledger.folder)
    content = path.read_bytes()
    ledger.flush()
    ledger.close()
    filled(local_lake, tmp_path, [2, 3, 4]).close()
    compact_ledger(local_lake)
    before = payloads(local_lake)
    path.write_bytes(content)  # as if the process had died between commit and delete
    with Ledger(local_lake, tmp_path) as again:
        assert again.lookup(*row(1).call_key) == row(1)
    assert payloads(local_lake) == before


def test_two_compactors_and_a_writer_at_once_keep_every_call_once(lake: Lake, tmp_path: Path):
    ledger = filled(lake, tmp_path)
    more = [row(100 + number) for number in range(6)]

    def write() -> None:
        for fresh in more:
            ledger.record(fresh).result()
            ledger.flush()

    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(compact_ledger, lake) for _ in range(2)] + [threads.submit(write)]
        for job in jobs:
            job.result()
    every = [row(number) for number in range(PARTS * ROWS_EACH)] + more
    assert payloads(lake) == sorted(one.to_payload() for one in every)
    assert [ledger.lookup(*one.call_key) for one in every] == every
    ledger.close()
