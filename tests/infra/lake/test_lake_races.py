"""Many writers, killed writers and a live reader: nothing lost, doubled or half-visible."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from infra.lake.lake import Lake
from sightline.provenance import fingerprint_of
from sightline.schemas import FAILURES
from tests.factories import full_of
from tests.infra.lake.lake_writer import write_part

ROWS = 40
ROOT = Path(__file__).resolve().parents[3]


def start_writer(lake: Lake, first: int, last: int) -> "subprocess.Popen[str]":
    storage = json.dumps(asdict(lake.storage))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.infra.lake.lake_writer", lake.uri, storage,
         str(first), str(last), str(ROWS)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )  # fmt: skip


def rows_by_part(lake: Lake) -> Counter[str]:
    return Counter(lake.read(FAILURES, columns=["part"])["part"].to_pylist())


def test_writers_in_threads_land_every_part_exactly_once(lake: Lake) -> None:
    def work(writer: int) -> int:
        return sum(write_part(lake, f"w{writer}-{n}", ROWS) for n in range(3))

    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(work, range(8)))
    assert written == [3] * 8
    assert rows_by_part(lake) == {f"w{w}-{n}": ROWS for w in range(8) for n in range(3)}


def test_same_part_by_many_threads_lands_once(lake: Lake) -> None:
    barrier = threading.Barrier(6)

    def work(_: int) -> bool:
        barrier.wait()
        return write_part(lake, "p", ROWS)

    with ThreadPoolExecutor(6) as threads:
        won = list(threads.map(work, range(6)))
    assert won.count(True) == 1
    assert rows_by_part(lake) == {"p": ROWS}
    assert len(list(lake.objects.list(f"{FAILURES.path}/part=p/"))) == 1


def test_processes_writing_overlapping_parts_land_each_once(lake: Lake) -> None:
    writers = [start_writer(lake, first, first + 4) for first in (0, 2, 4)]
    outputs = [writer.communicate(timeout=60)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert sum(int(output.split()[-1]) for output in outputs) == 8
    assert rows_by_part(lake) == {f"p{n}": ROWS for n in range(8)}


def test_replacing_and_appending_at_once_keeps_both(lake: Lake) -> None:
    for name in ("p0", "p1", "p2"):
        write_part(lake, name, 5)

    def replace(number: int) -> None:
        name, fingerprint = f"p{number}", fingerprint_of(["new", number])
        with lake.stage(FAILURES, name, fingerprint) as writer:
            writer.write(full_of(FAILURES, 7, part=name, fingerprint=fingerprint))
            staged = writer.finish()
        lake.publish(FAILURES, [staged])

    with ThreadPoolExecutor(6) as threads:
        done = [threads.submit(replace, n) for n in range(3)]
        done += [threads.submit(write_part, lake, f"q{n}", 5) for n in range(3)]
        for future in done:
            future.result()
    assert rows_by_part(lake) == {f"p{n}": 7 for n in range(3)} | {f"q{n}": 5 for n in range(3)}


@contextmanager
def watched(lake: Lake) -> Iterator[list[Counter[str]]]:
    """Read the table over and over in another thread; give what was seen."""
    seen: list[Counter[str]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(rows_by_part(lake))
            stop.wait(0.02)

    with ThreadPoolExecutor(1) as thread:
        watching = thread.submit(watch)
        try:
            yield seen
        finally:
            stop.set()
        watching.result()


def test_killed_writers_leave_no_half_part_and_a_rerun_finishes(lake: Lake) -> None:
    aim = random.Random(7)  # noqa: S311 - moments to kill at
    parts = 25
    with watched(lake) as seen:
        for _ in range(5):
            writer = start_writer(lake, 0, parts)
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(aim.uniform(0.0, 0.3))
            writer.send_signal(signal.SIGKILL)
            writer.communicate(timeout=30)
        killed_at = rows_by_part(lake)
        last = start_writer(lake, 0, parts)
        output = last.communicate(timeout=60)[0]
    assert [count for look in seen for count in look.values() if count != ROWS] == []
    assert sorted(len(look) for look in seen) == [len(look) for look in seen]
    assert int(output.split()[-1]) == parts - len(killed_at)
    assert rows_by_part(lake) == {f"p{n}": ROWS for n in range(parts)}


def test_rerun_gives_the_same_rows_whatever_the_order(lake: Lake, tmp_path: Path) -> None:
    twin = Lake(tmp_path / "twin")
    for name in ("a", "b", "c"):
        write_part(lake, name, ROWS)
    for name in ("c", "a", "b"):
        write_part(twin, name, ROWS)
    assert lake.read(FAILURES).equals(twin.read(FAILURES))
    assert not any(write_part(lake, name, ROWS) for name in ("a", "b", "c"))
