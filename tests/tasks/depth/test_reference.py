"""The whole worker against stored maps of a network whose every parameter is random."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from infra.images.depth_codec import decode_levels, values_of
from infra.images.pixels import encode_png
from sightline.ids import image_id
from tasks.depth.worker import DepthWorker
from tests.tasks.depth import seeded

Maps = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def reference() -> Maps:
    with np.load(seeded.REFERENCE) as stored:
        return dict(stored)


@pytest.fixture(scope="module", params=seeded.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(kind)
    seeded.network(kind).save_pretrained(folder)
    return folder


def maps_of(worker: DepthWorker, names: list[str]) -> Maps:
    data = [encode_png(seeded.picture(name)) for name in names]
    batch = pa.table({"image_id": [image_id(one) for one in data], "bytes": data})
    rows = worker(batch).table.to_pylist()
    return {
        name: values_of(decode_levels(row["depth"]), row["lo"], row["hi"])
        for name, row in zip(names, rows, strict=True)
    }


def test_reference_maps_carry_detail(reference: Maps):
    assert set(reference) == {f"{kind}_{name}" for kind in seeded.KINDS for name in seeded.PICTURES}
    for name, values in reference.items():
        assert values.std() > 0.1 * (values.max() - values.min()), name
        assert (values > 0).mean() > 0.9, name


def test_worker_gives_the_reference_maps(folder: Path, kind: str, reference: Maps):
    worker = DepthWorker(str(folder), seeded.INPUT_PX, precision="fp32")
    for name, found in maps_of(worker, [*seeded.PICTURES, *seeded.PICTURES]).items():
        expected = reference[f"{kind}_{name}"]
        half_a_level = (expected.max() - expected.min()) / 4095 / 2
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < half_a_level + 2e-4 * expected.max()


def test_worker_antialiased_or_in_bf16_is_near_but_not_the_same(
    folder: Path, kind: str, reference: Maps
):
    for options in ({"precision": "fp32", "resample": "antialias"}, {"precision": "bf16"}):
        worker = DepthWorker(str(folder), seeded.INPUT_PX, **options)
        expected = reference[f"{kind}_tall"]
        found = maps_of(worker, ["tall"])["tall"]
        apart = np.abs(found - expected).max() / (expected.max() - expected.min())
        assert 2e-3 < apart < 0.5
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_reference_is_what_the_network_still_gives(kind: str, reference: Maps):
    net = seeded.network(kind)
    for name, size in seeded.sizes().items():
        found = seeded.official_map(net, seeded.picture(name), size)
        assert np.abs(found - reference[f"{kind}_{name}"]).max() < 1e-4 * found.max()
