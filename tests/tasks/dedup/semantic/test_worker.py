import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sightline.errors import CheckpointError
from sightline.schemas import EMBEDDINGS
from tasks.dedup.semantic.worker import EmbeddingWorker

TEXTS = ["the red cup", "a blue dog is on the left", "the red cup", "what", "no " * 100]


def batch_of(*texts: str | None) -> pa.Table:
    ids = [f"c{number}" for number in range(len(texts))]
    kinds = ["chain"] * len(texts)
    return pa.table({"item_id": ids, "item_kind": kinds, "text": pa.array(texts, pa.string())})


@pytest.fixture(scope="module")
def worker(tiny_encoder: Path) -> EmbeddingWorker:
    return EmbeddingWorker(str(tiny_encoder), max_tokens=16, threads=1)


def vectors(table: pa.Table) -> np.ndarray:
    return np.asarray(table["embedding"].to_pylist(), dtype=np.float32)


def test_worker_gives_a_unit_vector_per_text_in_order(worker: EmbeddingWorker):
    table = worker(batch_of(*TEXTS))
    assert table.schema == EMBEDDINGS.payload
    assert table["item_id"].to_pylist() == ["c0", "c1", "c2", "c3", "c4"]
    assert np.linalg.norm(vectors(table), axis=1) == pytest.approx(np.ones(5), abs=1e-6)


def test_worker_equal_texts_have_equal_vectors_and_others_differ(worker: EmbeddingWorker):
    found = vectors(worker(batch_of(*TEXTS)))
    assert np.array_equal(found[0], found[2])
    assert not np.allclose(found[0], found[1], atol=1e-3)


def test_worker_order_of_rows_changes_no_vector(worker: EmbeddingWorker):
    forward, backward = worker(batch_of(*TEXTS)), worker(batch_of(*TEXTS[::-1]))
    assert np.allclose(vectors(forward), vectors(backward)[::-1], atol=1e-6)


def test_worker_rows_without_text_have_no_embedding(worker: EmbeddingWorker):
    table = worker(batch_of(None, "", " \n", "a dog"))
    assert table["item_id"].to_pylist() == ["c3"]
    assert worker(batch_of(None)).num_rows == 0


def test_worker_other_checkpoint_is_an_error(tiny_encoder: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_encoder, broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
    with pytest.raises(CheckpointError):
        EmbeddingWorker(str(broken))
