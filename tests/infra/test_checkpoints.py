import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from infra.checkpoints import Checkpoint, resolve
from infra.lake.objects import ObjectStore, open_store
from sightline.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "net"
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "toy"}')
    save_file({"weight": np.arange(12, dtype=np.float32)}, path / "model.safetensors")
    return path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_resolve_local_folder_gives_sha_and_licence_of_the_readme(folder: Path):
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\ntags: []\n---\n")
    expected = Checkpoint(str(folder), folder, sha(folder / "model.safetensors"), "CC-BY-NC-4.0")
    assert resolve(str(folder)) == expected


def test_resolve_licence_of_the_card_wins_and_none_is_none(folder: Path):
    assert resolve(str(folder)).licence is None
    (folder / "README.md").write_text("license: mit\n")
    (folder / "card.json").write_text('{"licence": "Apache-2.0"}')
    assert resolve(str(folder)).licence == "Apache-2.0"


def test_resolve_sharded_weights_hash_all_shards(folder: Path):
    (folder / "model.safetensors").rename(folder / "b.safetensors")
    save_file({"bias": np.zeros(3, dtype=np.float32)}, folder / "a.safetensors")
    index = {"weight_map": {"weight": "b.safetensors", "bias": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    before = resolve(str(folder)).weights_sha
    save_file({"bias": np.ones(3, dtype=np.float32)}, folder / "a.safetensors")
    assert resolve(str(folder)).weights_sha != before
    (folder / "a.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"incomplete.*a\.safetensors"):
        resolve(str(folder))


def test_resolve_truncated_weights_are_incomplete(folder: Path):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="incomplete"):
        resolve(str(folder))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_resolve_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        resolve(str(folder))


def test_resolve_pickled_weights_are_refused(folder: Path):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled"):
        resolve(str(folder))


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0[1,2,3] ", b"\xff" * 40])
def test_resolve_file_that_is_no_safetensors_is_incomplete(folder: Path, content: bytes):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="incomplete"):
        resolve(str(folder))


def test_resolve_card_with_another_sha_is_an_error(folder: Path):
    (folder / "card.json").write_text('{"weights_sha256": "00"}')
    with pytest.raises(CheckpointError, match="card states 00"):
        resolve(str(folder))


@pytest.mark.parametrize(
    "weights", ["/no/such/folder", "./missing", "embedded:nothing", "one word"]
)
def test_resolve_unknown_name_says_what_is_expected(weights: str):
    with pytest.raises(CheckpointError, match=r"embedded|folder"):
        resolve(weights)


def test_resolve_object_store_prefix_is_copied_once_and_again_when_it_changes(
    folder: Path, tmp_path: Path
):
    cache, opened = tmp_path / "cache", []

    def stores(uri: str) -> ObjectStore:
        opened.append(uri)
        return open_store(folder)

    first = resolve("s3://bucket/net", cache=cache, stores=stores)
    assert first.weights_sha == sha(folder / "model.safetensors")
    assert first.name == "s3://bucket/net"
    assert resolve("s3://bucket/net", cache=cache, stores=stores) == first
    save_file({"weight": np.zeros(40, dtype=np.float32)}, folder / "model.safetensors")
    second = resolve("s3://bucket/net", cache=cache, stores=stores)
    assert second.weights_sha != first.weights_sha
    assert len([p for p in cache.iterdir() if p.is_dir()]) == 2
    assert opened == ["s3://bucket/net"] * 3


def test_resolve_empty_prefix_is_an_error(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        resolve("s3://bucket/x", cache=tmp_path, stores=lambda _: open_store(tmp_path / "empty"))


def test_resolve_object_store_prefix_brings_words_and_leaves_pickles(folder: Path, tmp_path: Path):
    for name in ("merges.txt", "README.md", "pytorch_model.bin", "preprocessor_config.json"):
        (folder / name).write_text("license: mit")
    found = resolve("s3://b/net", cache=tmp_path / "cache", stores=lambda _: open_store(folder))
    assert sorted(path.name for path in found.folder.iterdir()) == [
        "README.md", "config.json", "merges.txt", "model.safetensors", "preprocessor_config.json",
    ]  # fmt: skip
    assert found.licence == "MIT"


def test_resolve_weights_that_changed_in_place_have_another_sha(folder: Path):
    before = resolve(str(folder)).weights_sha
    save_file({"weight": np.ones(12, dtype=np.float32)}, folder / "model.safetensors")
    assert resolve(str(folder)).weights_sha != before


@pytest.fixture
def cached(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The snapshot of `org/net` in the hub cache of a machine without a network."""
    cached = tmp_path / "hub" / "models--org--net"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    snapshot = shutil.copytree(folder, cached / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return snapshot


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json"])
def test_resolve_hub_download_that_broke_off_is_an_error_offline(cached: Path, missing: str):
    (cached / missing).unlink()
    with pytest.raises(CheckpointError, match=f"incomplete.*{missing}"):
        resolve("org/net")


@pytest.mark.usefixtures("cached")
def test_resolve_hub_id_in_the_cache_of_this_machine_needs_no_network(folder: Path):
    found = resolve("org/net")
    assert (found.name, found.weights_sha) == ("org/net", sha(folder / "model.safetensors"))
    with pytest.raises(CheckpointError, match="not in the hub cache"):
        resolve("org/another@main")
