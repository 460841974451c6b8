"""The behaviours every pool has, on the local pool and, where processes matter, on Ray."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from infra.pool.crew_pool import WINDOW_PER_WORKER, CrewPool
from infra.pool.local_pool import LocalPool
from infra.pool.ray_pool import RayPool
from infra.pool.workers import Placement, WorkerSpec
from sightline.errors import Failure, PoolError
from tests.infra.pool.pool_workers import PLACEMENT, batch, batches, blamed, out, spec


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def pool(request: pytest.FixtureRequest) -> Iterator[CrewPool]:
    if request.param == "ray":
        yield request.getfixturevalue("ray_pool")
        return
    yield request.getfixturevalue("local")


@pytest.fixture
def local() -> Iterator[LocalPool]:
    """For rules that stand above the engine, where starting processes would add nothing."""
    with LocalPool(PLACEMENT) as pool:
        yield pool


def test_map_many_batches_keeps_input_order(pool: CrewPool):
    results = list(pool.map(spec("Doubler"), batches(50, 3)))
    assert out(results) == [value * 2 for value in range(50)]
    assert [result.rows for result in results] == [3] * 16 + [2]


def test_map_late_first_batch_keeps_order_while_others_overtake(pool: CrewPool):
    seen = list(pool.map(spec("Sleeper"), [batch(40), *batches(6, 1)]))
    assert out(seen) == [80, 0, 2, 4, 6, 8, 10]
    assert len({r.table["pid"][0].as_py() for r in seen}) == (2 if isinstance(pool, RayPool) else 1)


@pytest.mark.parametrize("most", [2, 1])
def test_map_worker_gets_two_batches_at_once_only_if_it_says_so(pool: CrewPool, most: int):
    results = list(pool.map(spec("Together", is_concurrent=most > 1), batches(12, 2)))
    assert out(results) == [value * 2 for value in range(12)]
    assert max(max(r.table["together"].to_pylist()) for r in results) == most


def test_map_same_spec_twice_builds_each_worker_once(pool: CrewPool, tmp_path: Path):
    one = spec("Doubler", built_in=str(tmp_path))
    for _ in range(3):
        list(pool.map(one, batches(12, 2)))
    assert len(list(tmp_path.iterdir())) <= PLACEMENT.workers
    assert pool.release(one)
    assert not pool.release(one)


def test_map_from_several_threads_shares_workers(pool: CrewPool, tmp_path: Path):
    one = spec("Doubler", built_in=str(tmp_path))
    found: dict[int, list[int]] = {}

    def work(start: int) -> None:
        tables = [batch(*range(start + i, start + i + 4)) for i in range(0, 40, 4)]
        found[start] = out(list(pool.map(one, tables)))

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {
        start: [2 * v for v in range(start, start + 40)] for start in (0, 1000, 2000, 3000)
    }
    assert len(list(tmp_path.iterdir())) <= PLACEMENT.workers


def test_map_reads_input_lazily_within_the_window(local: LocalPool):
    read: list[int] = []

    def source() -> Iterator[pa.Table]:
        for value in range(100):
            read.append(value)
            yield batch(value)

    results = local.map(spec("Sleeper"), source())
    assert not read
    next(results)
    assert len(read) <= WINDOW_PER_WORKER * PLACEMENT.workers + 1
    results.close()  # type: ignore[attr-defined]


def test_map_closed_early_leaves_the_pool_usable(local: LocalPool):
    results = local.map(spec("Doubler"), batches(40, 2))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert out(list(local.map(spec("Doubler"), [batch(7)]))) == [14]


def test_map_poison_rows_become_failures_and_others_are_kept(pool: CrewPool):
    results = list(pool.map(spec("Poisoned", bad=[3, 4, 17]), batches(24, 8)))
    assert out(results) == [2 * v for v in range(24) if v not in {3, 4, 17}]
    assert blamed(results) == ["i3", "i4", "i17"]
    failure = results[0].failed[0]
    assert failure.code is Failure.WORKER_ERROR
    assert failure.detail == "ValueError: cannot digest 3"


def test_map_worker_names_failures_itself_passes_them_on(pool: CrewPool):
    (result,) = pool.map(spec("Understands"), [batch(1, 2, 3)])
    assert result.table["item_id"].to_pylist() == ["i2"]
    assert [f.code for f in result.failed] == [Failure.IMAGE_UNREADABLE] * 2


def test_map_batch_of_poison_only_has_an_empty_table(local: LocalPool):
    results = list(local.map(spec("Poisoned", bad=[0, 1]), batches(4, 2)))
    assert (results[0].table.num_rows, results[0].table.num_columns) == (0, 0)
    assert out(results) == [4, 6]


def test_map_batch_without_rows_calls_no_worker(local: LocalPool):
    (result,) = local.map(spec("Doubler"), [batch(1).slice(0, 0)])
    assert (result.rows, result.failed) == (0, ())


def test_map_worker_fails_on_every_row_raises_instead_of_blaming_rows(local: LocalPool):
    with pytest.raises(PoolError, match=r"failed on all 8 rows.*cannot digest 7"):
        list(local.map(spec("Poisoned", bad=list(range(8))), batches(8, 4)))


def test_map_worker_breaks_midway_is_replaced_and_no_row_is_lost(pool: CrewPool, tmp_path: Path):
    one = spec("Fickle", trigger=12, once=str(tmp_path / "once"))
    results = list(pool.map(one, batches(24, 4)))
    assert out(results) == [2 * v for v in range(24)]
    assert blamed(results) == []


def test_map_factory_raises_fails_before_a_batch_is_read(pool: CrewPool):
    def source() -> Iterator[pa.Table]:
        pytest.fail("a batch was read")
        yield batch(1)

    with pytest.raises(PoolError, match=r"CheckpointError: expected depth\.safetensors"):
        pool.map(spec("NoWeights"), source())


@pytest.mark.parametrize("factory", ["no_such_module:X", f"{spec.__module__}:Nobody", "bad"])
def test_map_factory_does_not_exist_says_so(local: LocalPool, factory: str):
    with pytest.raises(PoolError, match=r"no_such_module|Nobody|package\.module:Name"):
        local.map(WorkerSpec(factory), [])


def test_map_worker_raises_our_error_stops_the_step(pool: CrewPool):
    with pytest.raises(PoolError, match="CheckpointError: weights do not fit 2 rows"):
        list(pool.map(spec("StopsTheStep"), [batch(1, 2)]))


def test_map_batch_without_key_column_names_the_columns(local: LocalPool):
    with pytest.raises(PoolError, match=r"expected a key column 'item_id', found \['value'\]"):
        list(local.map(spec("Doubler"), [pa.table({"value": [1]})]))


def test_map_closed_pool_says_so():
    pool = LocalPool()
    pool.close()
    pool.close()
    with pytest.raises(PoolError, match="closed"):
        pool.map(spec("Doubler"), [batch(1)])


def test_close_during_a_map_ends_it_with_an_error():
    pool = LocalPool(Placement(workers=1))
    results = pool.map(spec("Sleeper"), batches(100, 1))
    next(results)
    pool.close()
    with pytest.raises(PoolError, match="closed"):
        list(results)
