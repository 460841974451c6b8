import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.pool.worker_host import WorkerHost, is_wholly_blamed, merge
from infra.pool.workers import BatchResult, WorkerSpec
from sightline.errors import PoolError
from tests.infra.pool.pool_workers import batch, blamed, out, spec


def test_spec_identity_ignores_the_order_of_options():
    one = WorkerSpec("m:F", {"a": 1, "b": [2]})
    assert one.identity == WorkerSpec("m:F", {"b": [2], "a": 1}).identity
    assert one.identity != WorkerSpec("m:F", {"a": 1, "b": [3]}).identity
    assert one.identity != WorkerSpec("m:F", {"a": 1, "b": [2]}, key="x").identity


def test_spec_option_without_stable_form_is_refused():
    with pytest.raises(TypeError):
        _ = WorkerSpec("m:F", {"a": object()}).identity


@pytest.mark.parametrize("factory", ["", "m", "m:", ":F", "sightline.ids:nobody"])
def test_spec_build_bad_path_says_what_is_wrong(factory: str):
    with pytest.raises(PoolError, match=r"package\.module:Name|no factory 'nobody'"):
        WorkerSpec(factory).build()


@given(st.sets(st.integers(0, 40)), st.integers(1, 41))
def test_host_any_poison_rows_are_exactly_the_failures(bad: set[int], rows: int):
    host = WorkerHost(spec("Poisoned", bad=sorted(bad)))
    result = host.run(batch(*range(rows)))
    assert out([result]) == [2 * v for v in range(rows) if v not in bad]
    assert blamed([result]) == [f"i{v}" for v in range(rows) if v in bad]
    assert result.rows == rows


def test_host_tells_the_cause_behind_the_error():
    with pytest.raises(PoolError, match="could not be built: CheckpointError: expected depth"):
        WorkerHost(spec("NoWeights"))


def test_host_worker_returns_no_table_is_an_error_of_the_step():
    host = WorkerHost(spec("Confused"))
    with pytest.raises(PoolError, match=r"expected a worker to return a table .* found list"):
        host.run(batch(1, 2))


def test_merge_keeps_order_and_skips_tables_without_columns():
    parts = [
        BatchResult(pa.table({"x": [1]}), (), 1),
        BatchResult(pa.table({}), (), 1),
        BatchResult(pa.table({"x": [2, 3]}), (), 2),
    ]
    whole = merge(parts)
    assert (whole.table["x"].to_pylist(), whole.rows) == ([1, 2, 3], 4)


def test_wholly_blamed_a_single_row_tells_nothing():
    host = WorkerHost(spec("Poisoned", bad=[0, 1]))
    assert is_wholly_blamed(host.run(batch(0, 1)))
    assert not is_wholly_blamed(host.run(batch(0)))
    assert not is_wholly_blamed(host.run(batch(0, 2)))


def test_modules_under_the_pool_import_without_ray(repo_root: Path):
    code = "import sys, infra.pool.local_pool, infra.prefect_api.server, infra.telemetry; "
    code += "sys.exit(any(name in sys.modules for name in ('ray', 'prefect', 'torch')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=repo_root, check=False).returncode == 0
