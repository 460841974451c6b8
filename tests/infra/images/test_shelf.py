"""Images within reach by id, and gone afterwards."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.images.decode import ImageProblem
from infra.images.shelf import BATCH_ROWS, ShelvedImage, image_shelf
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.errors import Failure
from sightline.schemas import IMAGES
from tests.factories import commit, payload_of

ROWS = 2 * BATCH_ROWS + 3
"""More than two batches."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake", StorageOptions())
    images = payload_of(IMAGES, ROWS, source="cub", licence=lambda i: None if i else "MIT")
    commit(lake, IMAGES, images.slice(0, ROWS - 2), part="a")
    commit(lake, IMAGES, images.slice(ROWS - 2), part="b")
    return lake


def test_shelf_gives_wanted_images_of_all_parts_with_what_crops_inherit(lake: Lake):
    wanted = {"image_id-0", f"image_id-{ROWS - 1}"}
    with image_shelf(lake, ["a", "b"], wanted) as shelf:
        assert shelf.load("image_id-0") == ShelvedImage(b"bytes-0", "cub", "MIT")
        assert shelf.load(f"image_id-{ROWS - 1}").data == f"bytes-{ROWS - 1}".encode()


@pytest.mark.parametrize("image_id", ["image_id-1", f"image_id-{ROWS - 1}", "../../etc/passwd"])
def test_shelf_image_not_wanted_or_of_another_part_or_unknown_is_a_missing_image(
    lake: Lake, image_id: str
):
    with (
        image_shelf(lake, ["a"], {"image_id-0", f"image_id-{ROWS - 1}"}) as shelf,
        pytest.raises(ImageProblem, match="not in the lake") as caught,
    ):
        shelf.load(image_id)
    assert caught.value.code is Failure.IMAGE_MISSING


def test_shelf_is_read_from_many_threads(lake: Lake):
    ids = [f"image_id-{i}" for i in range(ROWS)]
    with image_shelf(lake, ["a", "b"], set(ids)) as shelf, ThreadPoolExecutor(8) as threads:
        found = [image.data for image in threads.map(shelf.load, ids * 5)]
    assert found == [f"bytes-{i}".encode() for i in range(ROWS)] * 5


def test_shelf_leaves_nothing_behind(lake: Lake):
    with image_shelf(lake, ["a"], {"image_id-0"}) as shelf:
        folder = shelf._folder
        assert len(list(folder.iterdir())) == 1
    assert not folder.exists()


def test_shelf_nothing_wanted_reads_nothing(lake: Lake):
    with image_shelf(lake, ["no-such-part"], set()) as shelf, pytest.raises(ImageProblem):
        shelf.load("image_id-0")
