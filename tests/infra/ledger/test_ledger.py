"""Ledger: durable, committed once, found by everyone on the machine."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.ledger.cache import MAX_CACHED_ROWS, LedgerCache
from infra.ledger.disk_segments import segments
from infra.ledger.ledger import Ledger, spool_folder
from infra.ledger.lines import encode_line
from infra.ledger.row import LedgerRow
from sightline.errors import LakeError
from sightline.schemas import LEDGER
from tests.infra.teachers import open_ledger, paid_row


def lookup(ledger: Ledger, row: LedgerRow) -> LedgerRow | None:
    return ledger.lookup(row.request_key, row.draw)


def committed_rows(folder: Path) -> list[LedgerRow]:
    table = Lake(folder / "lake").read(LEDGER)
    return [LedgerRow.from_columns(row) for row in table.to_pylist()]


def test_recorded_call_is_found_before_and_after_its_commit(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        rows = [paid_row(number) for number in range(10)]
        for row in rows:
            ledger.record(row).result()
        assert [lookup(ledger, row) for row in rows] == rows
        (commit,) = ledger.flush()
        assert (commit.rows, commit.reused) == (10, False)
        assert [lookup(ledger, row) for row in rows] == rows
        assert lookup(ledger, paid_row(99)) is None
        assert segments(ledger.folder) == []
    with open_ledger(tmp_path) as ledger:
        assert [lookup(ledger, row) for row in rows] == rows


def test_flush_without_new_calls_commits_nothing(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        assert ledger.flush() == []
        ledger.record(paid_row(1)).result()
        ledger.flush()
        assert ledger.flush() == []
    assert committed_rows(tmp_path) == [paid_row(1)]


def test_draws_of_one_request_are_separate_calls(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        rows = [replace(paid_row(1), draw=draw, cost_usd=draw / 4) for draw in range(5)]
        for row in rows:
            ledger.record(row).result()
        ledger.flush()
        assert [lookup(ledger, row) for row in rows] == rows


def test_unflushed_calls_are_recovered_by_the_next_start(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        ledger.record(paid_row(1)).result()
    ledger = Ledger(Lake(tmp_path / "lake"), tmp_path / "spool")
    (commit,) = ledger.recover()
    assert commit.rows == 1
    assert ledger.recover() == []
    assert lookup(ledger, paid_row(1)) == paid_row(1)
    ledger.close()
    assert committed_rows(tmp_path) == [paid_row(1)]


def test_crash_between_commit_and_delete_commits_once(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        ledger.record(paid_row(1)).result()
        (path,) = segments(ledger.folder)
        content = path.read_bytes()
        ledger.flush()
    path.write_bytes(content)
    ledger = Ledger(Lake(tmp_path / "lake"), tmp_path / "spool")
    (commit,) = ledger.recover()
    assert commit.reused
    assert segments(ledger.folder) == []
    ledger.close()
    assert committed_rows(tmp_path) == [paid_row(1)]


def test_torn_last_line_is_dropped_and_the_lines_before_it_kept(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    folder = spool_folder(tmp_path / "spool", lake.uri)
    folder.mkdir(parents=True)
    lines = [encode_line(paid_row(number).to_payload()) for number in range(3)]
    (folder / "1-dead.spool").write_bytes(b"".join(lines)[:-7])
    with open_ledger(tmp_path):
        pass
    assert committed_rows(tmp_path) == [paid_row(0), paid_row(1)]


def test_damaged_line_is_set_aside_and_the_rest_committed(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    folder = spool_folder(tmp_path / "spool", lake.uri)
    folder.mkdir(parents=True)
    good = encode_line(paid_row(1).to_payload())
    (folder / "1-dead.spool").write_bytes(b"garbage\n" + good)
    with open_ledger(tmp_path):
        pass
    assert committed_rows(tmp_path) == [paid_row(1)]
    assert (folder / "1-dead.damaged").read_bytes() == b"garbage\n" + good


def test_failed_commit_keeps_the_calls_for_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        msg = "the store is away"
        raise LakeError(msg)

    with open_ledger(tmp_path) as ledger:
        ledger.record(paid_row(1)).result()
        with monkeypatch.context() as broken:
            broken.setattr(Lake, "publish", refuse)
            with pytest.raises(LakeError, match="away"):
                ledger.flush()
        assert lookup(ledger, paid_row(1)) == paid_row(1)
        assert [commit.rows for commit in ledger.flush()] == [1]


def test_lakes_do_not_share_segments(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        ledger.record(paid_row(1)).result()
    other = Ledger(Lake(tmp_path / "other"), tmp_path / "spool")
    assert other.recover() == []
    other.close()


def test_large_part_is_read_row_by_row(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        ledger.record(paid_row(1)).result()
        (commit,) = ledger.flush()
    cache = LedgerCache(Lake(tmp_path / "lake"))
    found = cache.find(commit.part, MAX_CACHED_ROWS + 1, paid_row(1).call_key)
    assert found == paid_row(1)
    assert cache.find(commit.part, MAX_CACHED_ROWS + 1, paid_row(2).call_key) is None


def test_cache_over_its_limit_drops_old_parts_and_still_answers(tmp_path: Path):
    rows = [paid_row(number) for number in range(6)]
    with open_ledger(tmp_path) as ledger:
        for row in rows:
            ledger.record(row).result()
            ledger.flush()
    lake = Lake(tmp_path / "lake")
    cache, parts = LedgerCache(lake, max_bytes=1), [part.part for part in lake.parts(LEDGER)]
    for row in rows:
        assert [r for p in parts if (r := cache.find(p, 1, row.call_key))] == [row]
    assert len(cache._loaded) == 1


def other_process(folder: Path, flush_first: bool, connection: object) -> None:  # noqa: FBT001
    from multiprocessing.connection import Connection

    assert isinstance(connection, Connection)
    with open_ledger(folder) as ledger:
        ledger.record(paid_row(1)).result()
        if flush_first:
            ledger.flush()
        connection.send("recorded")
        connection.recv()
        ledger.flush()
        connection.send("flushed")
        connection.recv()


@pytest.mark.parametrize("flush_first", [False, True])
def test_another_live_process_sees_paid_calls_at_once_and_after_commit(
    tmp_path: Path,
    flush_first: bool,  # noqa: FBT001
):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with open_ledger(tmp_path) as ledger:
        assert lookup(ledger, paid_row(1)) is None
        process = context.Process(
            target=other_process, args=(tmp_path, flush_first, theirs), daemon=True
        )
        process.start()
        assert ours.recv() == "recorded"
        assert lookup(ledger, paid_row(1)) == paid_row(1)
        assert ledger.recover() == []
        ours.send("go on")
        assert ours.recv() == "flushed"
        assert lookup(ledger, paid_row(1)) == paid_row(1)
        ours.send("end")
        process.join(10)
    assert committed_rows(tmp_path) == [paid_row(1)]


def test_claim_of_a_killed_process_ends_with_it(tmp_path: Path):
    code = """
        import sys
        from pathlib import Path
        from infra.ledger.claims import MachineClaims
        claims = MachineClaims(Path(sys.argv[1]))
        print(claims.try_acquire(("ab" * 32, 0)), flush=True)
        sys.stdin.read()
    """
    from infra.ledger.claims import MachineClaims

    ours, key = MachineClaims(tmp_path), ("ab" * 32, 0)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"True\n"
        assert not ours.try_acquire(key)
        assert ours.try_acquire(("cd" * 32, 0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert ours.try_acquire(key)
    assert not ours.try_acquire(key)
    ours.release(key)
    assert ours.try_acquire(key)
    ours.close()
