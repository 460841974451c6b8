import numpy as np
import pyarrow as pa
import pytest

from infra.pool.local_pool import LocalPool
from infra.pool.workers import Placement, WorkerSpec
from sightline.errors import ContractError, PoolError
from sightline.schemas import TEXT_KEYS
from tasks.dedup.settle.buckets import buckets
from tasks.dedup.settle.columns import TEXT_COLUMNS, text_evidence
from tasks.dedup.settle.components import shards
from tasks.dedup.settle.resolve import settle
from tasks.dedup.settle.worker import SettleWorker, shard_table
from tests.tasks.dedup.settle import oracle

RANDOM = np.random.default_rng(5)
ITEMS = oracle.items(
    [frozenset(RANDOM.integers(0, 40, RANDOM.integers(0, 6)).tolist()) for _ in range(200)]
)


def keys() -> pa.Table:
    """Rows as `text_keys` holds them: three chunks, empty lists where a text has no words."""
    has = ITEMS.has_bands.tolist()
    columns = {
        "item_id": [f"t{n:03d}" for n in range(200)],
        "bands": [
            b if h else [] for b, h in zip(ITEMS.bands.view(np.int64).tolist(), has, strict=True)
        ],
        "signature": [s.tobytes() if h else b"" for s, h in zip(ITEMS.signature, has, strict=True)],
        "shingles": [np.array(sorted(s), np.uint64).view(np.int64).tolist() for s in ITEMS.sets],
    }
    schema = pa.schema([TEXT_KEYS.payload.field(name) for name in TEXT_COLUMNS])
    whole = pa.table(columns, schema=schema)
    return pa.concat_tables([whole[:50], whole[50:51], whole[51:]])


def test_text_evidence_is_what_the_columns_hold():
    found = text_evidence(keys(), 0.5)
    expected = ITEMS.similarity(0.5)
    assert found.has_bands.tolist() == ITEMS.has_bands.tolist()
    assert (found.bands[ITEMS.has_bands] == ITEMS.bands[ITEMS.has_bands]).all()
    assert found.similarity.offsets.tolist() == expected.offsets.tolist()
    assert found.similarity.shingles.tolist() == expected.shingles.tolist()
    signature = found.similarity.signature[ITEMS.has_bands]
    assert (signature == expected.signature[ITEMS.has_bands]).all()


def test_text_evidence_without_rows_or_words():
    nothing = text_evidence(keys()[:0], 0.5)
    assert nothing.bands.shape[0] == len(nothing.similarity) == 0
    silent = text_evidence(keys().filter(pa.array(~ITEMS.has_bands)), 0.5)
    assert not silent.has_bands.any()
    settled = settle(
        silent.bands, silent.has_bands, np.arange(len(silent.similarity)), silent.similarity
    )
    assert settled.is_kept.all()


def test_text_evidence_of_two_algorithms_is_refused():
    mixed = keys().slice(0, 2).to_pydict()
    mixed["bands"] = [[1, 2], [1, 2, 3]]
    with pytest.raises(ContractError, match="bands"):
        text_evidence(pa.table(mixed), 0.5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_settle_worker_shards_together_are_one_settlement(count: int):
    evidence = text_evidence(keys(), 0.5)
    priority = np.arange(200) % 3
    order = np.lexsort((np.arange(200), priority))
    whole = settle(evidence.bands, evidence.has_bands, order, evidence.similarity)
    expected = {
        (f"t{item:03d}", f"t{whole.kept_by[item]:03d}", whole.similarity[item], whole.band[item])
        for item in np.flatnonzero(~whole.is_kept)
    }
    parts = shards(buckets(evidence.bands, evidence.has_bands), count)
    spec = WorkerSpec("tasks.dedup.settle.worker:SettleWorker", {"tau": 0.5}, key="item_id")
    with LocalPool(Placement(workers=2)) as pool:
        results = pool.map(spec, [shard_table(keys(), items, priority) for items in parts])
        rows = [row for result in results for row in result.table.to_pylist()]
    assert {tuple(row.values()) for row in rows} == expected
    assert expected


def test_settle_worker_part_of_a_shard_stops_the_step():
    batch = shard_table(keys(), np.arange(200), np.zeros(200, np.int64))
    with pytest.raises(PoolError, match="shard of"):
        SettleWorker(tau=0.5)(batch[:100])
