"""Workers for the pool tests, named by dotted path as real ones are, and batches for them."""

import os
import signal
import time
from pathlib import Path

import pyarrow as pa

import infra
from infra.pool.workers import BatchResult, Placement, RowFailure, WorkerOutput, WorkerSpec
from sightline.errors import CheckpointError, Failure

PLACEMENT = Placement(workers=2, max_restarts=6, batch_timeout_s=60)


def spec(name: str, **options: object) -> WorkerSpec:
    return WorkerSpec(f"tests.infra.pool.pool_workers:{name}", options, key="item_id")


def batch(*values: int) -> pa.Table:
    return pa.table({"item_id": [f"i{value}" for value in values], "value": list(values)})


def batches(rows: int, size: int) -> list[pa.Table]:
    return [batch(*range(i, min(i + size, rows))) for i in range(0, rows, size)]


def out(results: list[BatchResult]) -> list[int]:
    return [v for r in results if r.table.num_columns for v in r.table["out"].to_pylist()]


def blamed(results: list[BatchResult]) -> list[str]:
    return [failure.item_id for result in results for failure in result.failed]


class Doubler:
    """Doubles; `built_in` collects one file per built worker."""

    def __init__(self, built_in: str | None = None, *, factor: int = 2) -> None:
        self._factor = factor
        if built_in is not None:
            (Path(built_in) / f"{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, batch: pa.Table) -> pa.Table:
        values = [self._one(value) for value in batch["value"].to_pylist()]
        return pa.table(
            {"item_id": batch["item_id"], "out": values, "pid": [os.getpid()] * len(values)}
        )

    def _one(self, value: int) -> int:
        return value * self._factor


class Poisoned(Doubler):
    """Raises on some values."""

    def __init__(self, bad: list[int]) -> None:
        super().__init__()
        self._bad = set(bad)

    def _one(self, value: int) -> int:
        if value in self._bad:
            msg = f"cannot digest {value}"
            raise ValueError(msg)
        return value * 2


class Deadly(Doubler):
    """Ends its own process on some values, `once` or always."""

    def __init__(self, bad: list[int], how: str = "kill", once: str | None = None) -> None:
        super().__init__()
        self._bad, self._how, self._once = set(bad), how, once and Path(once)

    def _one(self, value: int) -> int:
        if value in self._bad and not (self._once and self._once.exists()):
            if self._once:
                self._once.touch()
            self._die()
        return value * 2

    def _die(self) -> None:
        if self._how == "hang":
            time.sleep(600)
        signum = signal.SIGSEGV if self._how == "segfault" else signal.SIGKILL
        os.kill(os.getpid(), signum)
        time.sleep(600)


class Sleeper(Doubler):
    """Sleeps `value` hundredths of a second before it doubles."""

    def _one(self, value: int) -> int:
        time.sleep(value / 100)
        return value * 2


class Together(Doubler):
    """Says in `together` how many of its batches were under way at once."""

    def __init__(self, *, is_concurrent: bool) -> None:
        super().__init__()
        self.is_concurrent = is_concurrent
        self._under_way = 0

    def __call__(self, batch: pa.Table) -> pa.Table:
        self._under_way += 1
        until = time.monotonic() + 0.3
        together = self._under_way
        while time.monotonic() < until:
            together = max(together, self._under_way)
            time.sleep(0.01)
        self._under_way -= 1
        return super().__call__(batch).append_column("together", pa.array([together] * len(batch)))


class ConcurrentlyDeadly(Deadly):
    """The same, with two batches at once."""

    is_concurrent = True


class Fickle(Doubler):
    """From its first `trigger` on it fails on everything, as with a lost device."""

    def __init__(self, trigger: int, once: str) -> None:
        super().__init__()
        self._trigger, self._once, self._is_broken = trigger, Path(once), False

    def _one(self, value: int) -> int:
        if value == self._trigger and not self._once.exists():
            self._once.touch()
            self._is_broken = True
        if self._is_broken:
            msg = "device-side assert"
            raise RuntimeError(msg)
        return value * 2


class NoWeights:
    def __init__(self) -> None:
        msg = "expected depth.safetensors in /nowhere, found nothing"
        raise CheckpointError(msg)


class StopsTheStep:
    def __call__(self, batch: pa.Table) -> pa.Table:
        msg = f"weights do not fit {batch.num_rows} rows"
        raise CheckpointError(msg)


class Understands:
    """Returns failures of its own for odd values."""

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        rows = batch.to_pylist()
        kept = [row for row in rows if row["value"] % 2 == 0]
        failures = tuple(
            RowFailure(row["item_id"], Failure.IMAGE_UNREADABLE, "odd")
            for row in rows
            if row["value"] % 2
        )
        return WorkerOutput(pa.table({"item_id": [row["item_id"] for row in kept]}), failures)


class Surroundings:
    """Reports what the worker's process sees."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        names = batch["item_id"].to_pylist()
        return pa.table({"item_id": names, "out": [os.environ.get(name, "") for name in names]})


class Whereabouts:
    """Reports where the worker's machine has the project from."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.table({"out": [infra.__file__] * batch.num_rows})


class Confused:
    """Returns no table."""

    def __call__(self, batch: pa.Table) -> list[object]:
        return batch.to_pylist()
