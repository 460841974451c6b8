"""Objects behave the same in a folder and in a bucket."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import ObjectStore, StorageOptions, open_store
from sightline.errors import LakeError


@pytest.fixture
def store(lake: Lake) -> ObjectStore:
    return lake.objects


def test_put_then_get_returns_the_bytes(store: ObjectStore) -> None:
    assert store.put("a/b.bin", b"\x00\xff")
    assert store.get("a/b.bin") == b"\x00\xff"
    assert store.exists("a/b.bin")


def test_put_again_replaces_the_bytes(store: ObjectStore) -> None:
    store.put("key", b"old")
    store.put("key", b"new")
    assert store.get("key") == b"new"


def test_create_only_put_of_a_taken_key_changes_nothing(store: ObjectStore) -> None:
    assert store.put("key", b"first", create_only=True)
    assert not store.put("key", b"second", create_only=True)
    assert store.get("key") == b"first"


def test_create_only_put_by_many_has_one_winner(store: ObjectStore) -> None:
    def attempt(number: int) -> bool:
        return store.put("key", str(number).encode(), create_only=True)

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(attempt, range(8)))
    assert won.count(True) == 1
    assert store.get("key") == str(won.index(True)).encode()


def test_get_of_a_missing_key_raises_file_not_found(store: ObjectStore) -> None:
    with pytest.raises(FileNotFoundError):
        store.get("nothing")
    assert not store.exists("nothing")


def test_delete_removes_and_may_be_repeated(store: ObjectStore) -> None:
    store.put("key", b"x")
    store.delete("key")
    store.delete("key")
    assert not store.exists("key")


def test_list_gives_keys_with_the_prefix_in_order(store: ObjectStore) -> None:
    for key in ("b/2", "a", "b/1", "bc", "c"):
        store.put(key, key.encode())
    assert [info.key for info in store.list("b")] == ["b/1", "b/2", "bc"]
    assert [info.key for info in store.list("b/")] == ["b/1", "b/2"]
    assert [info.size for info in store.list("b/")] == [3, 3]
    assert next(iter(store.list())).modified.tzinfo is not None


def test_list_of_an_unknown_prefix_is_empty(store: ObjectStore) -> None:
    assert list(store.list("none/")) == []


def test_upload_and_download_carry_a_file(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc" * 1000)
    store.upload(source, "weights/x")
    target = tmp_path / "deep" / "target"
    store.download("weights/x", target)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.s3
def test_upload_of_a_large_file_arrives_whole(s3_lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "source"
    block = bytes(range(256)) * 4096
    source.write_bytes(block * 70)  # 70 MB: above the multipart threshold
    s3_lake.objects.upload(source, "big")
    s3_lake.objects.download("big", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("key", ["", "/abs", "../up", "a/../../b", "a\\b"])
def test_keys_that_leave_the_root_are_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="relative object key"):
        open_store(tmp_path).put(key, b"x")


def test_store_survives_pickling(store: ObjectStore) -> None:
    store.put("key", b"x")
    copy: ObjectStore = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert copy.get("key") == b"x"


def test_storage_options_do_not_show_secrets() -> None:
    shown = repr(StorageOptions(None, None, "id", "hush", "hush"))
    assert "hush" not in shown


@pytest.mark.s3
def test_wrong_keys_are_a_lake_error(strict_s3_lake: Lake) -> None:
    wrong = StorageOptions(strict_s3_lake.storage.endpoint_url, "us-east-1", "testaccess", "wrong")
    with pytest.raises(LakeError, match="credentials"):
        open_store(strict_s3_lake.uri, wrong).put("key", b"x")
