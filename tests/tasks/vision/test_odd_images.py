"""Every odd image through ingest and the image workers: the right result, or a typed failure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from infra.images.decode import decode
from infra.images.pixels import encode_png
from infra.pool.workers import Worker, WorkerOutput
from sightline.errors import Failure
from sightline.ids import image_id
from tasks.depth.worker import DepthWorker
from tasks.segment.worker import SegmentWorker
from tests.tasks.ingest.ingested import ingest

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:More samples per pixel")

REFUSED: Mapping[str, Failure] = {
    "avif__hopper.heif": Failure.IMAGE_UNSUPPORTED,
    "bmp__b__badwidth.bmp": Failure.IMAGE_TOO_LARGE,
    "bmp__b__reallybig.bmp": Failure.IMAGE_TOO_LARGE,
    "bmp__b__shortfile.bmp": Failure.IMAGE_TRUNCATED,
    "broken.png": Failure.IMAGE_UNREADABLE,
    "broken_data_stream.png": Failure.IMAGE_UNREADABLE,  # Pillow reads it on its second try
    "decompression_bomb.gif": Failure.IMAGE_TOO_LARGE,
    "decompression_bomb.ico": Failure.IMAGE_UNSUPPORTED,
    "eps__zero_bb.eps": Failure.IMAGE_UNSUPPORTED,
    "hopper_bad_exif.jpg": Failure.IMAGE_UNREADABLE,  # Pillow shows torn stripes
    "hopper_unknown_pixel_mode.tif": Failure.IMAGE_UNREADABLE,
    "negative_size.ppm": Failure.IMAGE_UNREADABLE,
    "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": Failure.IMAGE_UNREADABLE,
    "png_decompression_dos.png": Failure.IMAGE_UNREADABLE,
    "test-ole-file.doc": Failure.IMAGE_UNREADABLE,
    "truncated_image.png": Failure.IMAGE_TRUNCATED,
    "truncated_jpeg.jpg": Failure.IMAGE_TRUNCATED,
}


@pytest.fixture(scope="module")
def odd(real_data: Path) -> dict[str, bytes]:
    lines = (real_data / "odd_images" / "expected.jsonl").read_text().splitlines()
    names = [json.loads(line)["id"] for line in lines]
    return {name: (real_data / "odd_images" / "images" / name).read_bytes() for name in names}


@pytest.fixture(scope="module", params=["depth", "segment"])
def worker(request: pytest.FixtureRequest) -> Worker:
    build = {"depth": DepthWorker, "segment": SegmentWorker}[request.param]
    return build(f"embedded:{request.param}", 126, threads=1)


def batch_of(pictures: Mapping[str, bytes]) -> pa.Table:
    return pa.table({"image_id": list(pictures), "bytes": list(pictures.values())})


def answered(worker: Worker, pictures: Mapping[str, bytes]) -> WorkerOutput:
    out = worker(batch_of(pictures))
    assert isinstance(out, WorkerOutput)
    return out


def rows_by_image(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault(row.pop("image_id"), []).append(row)
    return rows


def test_worker_refuses_what_cannot_be_decoded_and_nothing_else(
    worker: Worker, odd: dict[str, bytes]
):
    assert len(odd) == 46
    out = answered(worker, odd)
    assert {f.item_id: f.code for f in out.failures} == dict(REFUSED)
    assert not set(REFUSED) & set(out.table["image_id"].to_pylist())


def test_worker_sees_each_odd_image_as_its_upright_pixels(worker: Worker, odd: dict[str, bytes]):
    """A plain PNG of the same pixels gives the same rows: mode, rotation and frame are right."""
    good = {name: data for name, data in odd.items() if name not in REFUSED}
    plain = {name: encode_png(decode(data).rgb) for name, data in good.items()}
    rows, expected = (rows_by_image(answered(worker, p).table) for p in (good, plain))
    assert rows == expected
    assert rows


def test_worker_goes_on_after_a_batch_of_nothing_but_bad_images(
    worker: Worker, odd: dict[str, bytes]
):
    bad = {name: odd[name] for name in REFUSED}
    out = answered(worker, bad)
    assert (out.table.num_rows, len(out.failures)) == (0, 17)
    again = answered(worker, {"a": odd["hopper.gif"], "b": odd["broken.png"], "c": odd["chi.gif"]})
    assert [f.item_id for f in again.failures] == ["b"]


def test_depth_gives_a_map_for_every_odd_image_that_decodes(odd: dict[str, bytes]):
    out = answered(DepthWorker("embedded:depth", 126, threads=1), odd)
    assert out.table["image_id"].to_pylist() == [name for name in odd if name not in REFUSED]


@pytest.mark.parametrize("size", [(1, 1), (4000, 2), (2, 4000), (13, 13)])
def test_worker_takes_pictures_of_any_shape(worker: Worker, size: tuple[int, int]):
    pixels = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    assert answered(worker, {"a": encode_png(pixels)}).failures == ()


def test_ingest_gives_the_same_verdicts_as_the_workers(odd: dict[str, bytes], tmp_path: Path):
    for name, data in odd.items():
        (tmp_path / f"{name}.png").write_bytes(data)  # a suffix that the source takes
    found = ingest("image_folder", {"path": str(tmp_path)})
    assert found.images.num_rows + found.failures.num_rows == 46
    kept = {image_id(data) for name, data in odd.items() if name not in REFUSED}
    assert set(found.images["image_id"].to_pylist()) == kept
    codes = [code.value for code in REFUSED.values()]
    assert found.codes == {code: codes.count(code) for code in set(codes)}


def test_ingest_stores_what_workers_will_take(tmp_path: Path):
    """A picture beyond the workers' limit never reaches the lake whole."""
    Image.new("1", (9500, 9500)).save(tmp_path / "large.png")
    assert ingest("image_folder", {"path": str(tmp_path)}).codes == {"image_too_large": 1}
