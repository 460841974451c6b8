"""Spool segments in the lake: a log that anybody may end, so nothing is lost or counted twice."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.lake.lake import Lake
from infra.lake.objects import LocalStore
from infra.ledger.lake_segments import SPOOL, LakeSegments, remove_old_seals
from infra.ledger.ledger import Ledger, Sharing
from infra.ledger.lines import encode_line
from infra.ledger.row import LedgerRow
from infra.ledger.spool import Segment
from sightline.schemas import LEDGER
from tests.infra.teachers import paid_row

IN_LAKE = Sharing(spool_in_lake=True)


def committed(lake: Lake) -> list[LedgerRow]:
    rows = [LedgerRow.from_columns(row) for row in lake.read(LEDGER).to_pylist()]
    return sorted(rows, key=lambda row: row.subject_id)


def record(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        ledger.record(paid_row(number)).result()


def leave_behind(ledger: Ledger) -> None:
    """End a ledger as a kill would, as far as the lake can tell."""
    ledger._spool.close()
    ledger._machine_claims.close()


def test_calls_recorded_in_the_lake_are_found_and_committed(lake: Lake, tmp_path: Path):
    with Ledger(lake, tmp_path, IN_LAKE) as ledger:
        record(ledger, 1, 2)
        assert ledger.lookup(*paid_row(2).call_key) == paid_row(2)
        assert [commit.rows for commit in ledger.flush()] == [2]
        assert ledger.lookup(*paid_row(2).call_key) == paid_row(2)
    assert list(lake.objects.list(SPOOL)) == []


def test_calls_of_a_lost_machine_are_recovered_by_any_other(lake: Lake, tmp_path: Path):
    lost = Ledger(lake, tmp_path / "lost", IN_LAKE)
    record(lost, 1, 2, 3)
    leave_behind(lost)
    with Ledger(lake, tmp_path / "new") as ledger:
        assert ledger.lookup(*paid_row(3).call_key) == paid_row(3)
    assert committed(lake) == [paid_row(1), paid_row(2), paid_row(3)]


def test_writer_whose_segment_was_taken_over_goes_on_and_counts_nothing_twice(
    lake: Lake, tmp_path: Path
):
    with Ledger(lake, tmp_path / "one", IN_LAKE) as one:
        record(one, 1, 2)
        with Ledger(lake, tmp_path / "two", IN_LAKE):
            assert committed(lake) == [paid_row(1), paid_row(2)]
        record(one, 3)
        assert one.lookup(*paid_row(1).call_key) == paid_row(1)
        one.flush()
        assert one.lookup(*paid_row(2).call_key) == paid_row(2)
    assert committed(lake) == [paid_row(1), paid_row(2), paid_row(3)]


def test_crash_between_commit_and_delete_commits_once(local_lake: Lake, tmp_path: Path):
    ledger = Ledger(local_lake, tmp_path / "one", IN_LAKE)
    record(ledger, 1, 2)
    held = {
        found.key: local_lake.objects.get(found.key) for found in local_lake.objects.list(SPOOL)
    }
    ledger.flush()
    leave_behind(ledger)
    for key, data in held.items():
        local_lake.objects.put(key, data)
    with Ledger(local_lake, tmp_path / "two", IN_LAKE):
        pass
    assert committed(local_lake) == [paid_row(1), paid_row(2)]


def test_segment_without_its_first_block_is_deleted_not_committed(local_lake: Lake, tmp_path: Path):
    ledger = Ledger(local_lake, tmp_path / "one", IN_LAKE)
    record(ledger, 1, 2)
    first, *_ = local_lake.objects.list(SPOOL)
    leave_behind(ledger)
    local_lake.objects.delete(first.key)
    with Ledger(local_lake, tmp_path / "two", IN_LAKE) as two:
        assert two.recover() == []
    assert committed(local_lake) == []
    assert all(found.size == 0 for found in local_lake.objects.list(SPOOL))
    assert remove_old_seals(local_lake.objects) == 0
    assert remove_old_seals(local_lake.objects, keep_s=0.0) == 1


def test_late_block_of_a_taken_segment_finds_its_number_taken(tmp_path: Path):
    store = LocalStore(str(tmp_path))
    writer, other = LakeSegments(store, "writer"), LakeSegments(store, "other")
    first = writer.write([encode_line(b"one")])[0]
    (orphan,) = other.orphans()
    assert orphan.read() is not None
    orphan.discard()
    late = writer.write([encode_line(b"late")])[0]
    assert late.segment != first.segment
    assert writer.read(late) == b"late"
    with pytest.raises(FileNotFoundError):
        writer.read(first)


class Writers:
    """Three processes that write to one lake, each of which may die and be replaced."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(str(folder))
        self.durable: list[bytes] = []
        self.parts: set[tuple[bytes, ...]] = set()
        self.born = 0
        self.living = [self.new() for _ in range(3)]

    def new(self) -> LakeSegments:
        self.born += 1
        return LakeSegments(self.store, f"w{self.born}")

    def write(self, number: int) -> None:
        line = b"%d" % len(self.durable)
        self.living[number].write([encode_line(line)])
        self.durable.append(line)

    def flush(self, number: int) -> None:
        self.commit(self.living[number].rotate())

    def flush_and_die(self, number: int) -> None:
        self.commit(self.living[number].rotate(), dies=True)
        self.die(number)

    def recover(self, number: int) -> None:
        self.commit(self.living[number].orphans())

    def die(self, number: int) -> None:
        self.living[number] = self.new()

    def commit(self, segments: Iterable[Segment], *, dies: bool = False) -> None:
        for segment in segments:
            content = segment.read()
            if content is not None:
                self.parts.add(content.payloads)  # a part is named after its content
            if not dies:
                segment.discard()


ACTS = (Writers.write, Writers.flush, Writers.recover, Writers.die, Writers.flush_and_die)


@settings(max_examples=40, deadline=None)
@given(acts=st.lists(st.tuples(st.sampled_from((Writers.write, *ACTS)), st.integers(0, 2))))
def test_whatever_happens_every_durable_line_is_committed_once(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[Callable[[Writers, int], None], int]]
):
    writers = Writers(tmp_path_factory.mktemp("lake"))
    for act, number in acts:
        act(writers, number)
    writers.commit(writers.new().orphans())
    assert sorted(line for part in writers.parts for line in part) == sorted(writers.durable)
