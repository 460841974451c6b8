"""What only separate processes can show: deaths, time limits, surroundings, size of machines."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from infra.pool.ray_pool import RayPool, RaySetup
from infra.pool.workers import Placement
from sightline.errors import Failure, PoolError
from tests.infra.pool.pool_workers import batch, batches, blamed, out, spec

pytestmark = pytest.mark.ray


def test_map_worker_killed_once_retries_the_batch(ray_pool: RayPool, tmp_path: Path):
    one = spec("Deadly", bad=[5], once=str(tmp_path / "died"))
    results = list(ray_pool.map(one, batches(20, 4)))
    assert (tmp_path / "died").exists()
    assert out(results) == [2 * v for v in range(20)]
    assert blamed(results) == []


@pytest.mark.parametrize("worker", ["Deadly", "ConcurrentlyDeadly"])
def test_map_row_kills_the_process_is_isolated(ray_pool: RayPool, worker: str):
    results = list(ray_pool.map(spec(worker, bad=[6], how="segfault"), batches(16, 4)))
    assert out(results) == [2 * v for v in range(16) if v != 6]
    (failure,) = [failed for result in results for failed in result.failed]
    assert (failure.item_id, failure.code) == ("i6", Failure.WORKER_ERROR)
    assert failure.detail == (
        "the worker died on this row alone: its process ended unexpectedly (SYSTEM_ERROR): "
        "killed, out of memory, or a native crash"
    )


def test_map_worker_killed_from_outside_goes_on(ray_pool: RayPool):
    one = spec("Sleeper", factor=2)
    pids = {r.table["pid"][0].as_py() for r in ray_pool.map(one, [batch(v) for v in (1, 2, 3, 4)])}

    def kill() -> None:
        time.sleep(0.3)
        os.kill(pids.pop(), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    results = list(ray_pool.map(one, [batch(20) for _ in range(8)]))
    killer.join()
    assert out(results) == [40] * 8


def test_map_worker_always_dies_stops_with_a_clear_error(ray_pool: RayPool):
    ray_pool.start()
    pool = RayPool(Placement(workers=1, max_restarts=2))
    with pool, pytest.raises(PoolError, match="died 3 times in a row"):
        list(pool.map(spec("Deadly", bad=list(range(8))), batches(8, 8)))


def test_map_row_hangs_is_isolated(ray_pool: RayPool):
    ray_pool.start()
    with RayPool(Placement(workers=1, batch_timeout_s=1)) as pool:
        results = list(pool.map(spec("Deadly", bad=[1], how="hang"), batches(4, 2)))
    assert out(results) == [0, 4, 6]
    assert "took longer than 1 s" in results[0].failed[0].detail


def test_worker_sees_settings_and_one_thread_per_core(ray_pool: RayPool):
    names = ["SIGHTLINE_PROBE", "OMP_NUM_THREADS", "PREFECT_API_URL"]
    table = batch(1, 2, 3).set_column(0, "item_id", [names])
    (result,) = ray_pool.map(spec("Surroundings"), [table])
    assert result.table["out"].to_pylist() == ["from the driver", "1", ""]


def test_start_more_gpus_than_the_machine_has_says_so(ray_pool: RayPool):
    ray_pool.start()
    pool = RayPool(Placement(num_gpus=512), RaySetup())
    with pool, pytest.raises(PoolError, match="wants 512 GPUs"):
        pool.map(spec("Doubler"), [batch(1)])
