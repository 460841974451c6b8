"""Every encoding gives back the metres it was made of; what fits none is an error that says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from tasks.depth_audit.encodings import Encoding, encoding_of, read_truth
from tasks.depth_audit.truth_rows import TruthRow, TruthRowError, parse_row
from tests.tasks.depth_audit import truth_files as made

METRES = made.slope()


def row(kind: str = "metric depth", **more: object) -> TruthRow:
    return TruthRow("a", "a.png", "d.png", kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "truth", "tolerance"),
    [
        (made.linear(METRES, 1000), row(scale=1000.0), 5e-4),
        (made.linear(METRES, 256), row("metric depth (sparse LiDAR GT)", scale=256.0), 2e-3),
        (made.linear(METRES, 5000), row("depth, TUM", scale=5000.0), 1e-4),
        (made.sun(METRES), row("metric depth, SUN3D bit-rotated", scale=1000.0), 5e-4),
        (made.sun(METRES), row("?", encoding="sun"), 5e-4),
        (made.kinect(METRES), row("NYU raw PGM, raw Kinect disparity", invalid=None), 0.06),
        (made.linear(METRES, 1000), row("", scale=1000.0, encoding="linear"), 5e-4),
    ],
)
def test_metric_encodings_give_back_the_metres(data: bytes, truth: TruthRow, tolerance: float):
    found = read_truth(data, truth)
    assert found.is_metric
    assert found.valid.all()
    assert np.abs(found.depth - METRES).max() <= tolerance


def test_disparity_gives_depth_up_to_a_factor_and_zero_is_no_reading():
    data = made.disparity(np.where(METRES > 5.9, 1e9, METRES))
    found = read_truth(data, row("8-bit disparity (stereo)", scale=None))
    assert not found.is_metric
    assert "unit is unknown" in str(found.note)
    assert found.valid.mean() == pytest.approx((METRES <= 5.9).mean())
    ratio = found.depth[found.valid] / METRES[found.valid]
    assert ratio.std() / ratio.mean() < 0.01


def test_invalid_values_zeros_and_readings_of_a_broken_sensor_are_left_out():
    raw = np.rint(METRES * 1000).astype(np.uint16)
    raw[:5], raw[5:10] = 0, 65535
    found = read_truth(made.png(raw), row(scale=1000.0, invalid=65535.0))
    assert not found.valid[:10].any()
    assert found.valid[10:].all()
    far = np.full_like(METRES, 3.0)
    far[:4] = 200.0
    assert not read_truth(made.kinect(far), row("raw kinect", invalid=None)).valid[:4].any()


@pytest.mark.parametrize(
    ("data", "truth", "named"),
    [
        (made.linear(METRES, 1000), row("elevation", scale=1.0), "linear, sun, kinect, disparity"),
        (made.linear(METRES, 1000), row("metric depth"), "scale None"),
        (made.linear(METRES, 1000), row("", encoding="lidar"), "unknown encoding 'lidar'"),
        (made.linear(METRES, 1000), row("", encoding="linear"), "needs a scale"),
        (made.disparity(METRES), row("", encoding="sun"), "values of uint16, found uint8"),
        (b"no picture", row(scale=1.0), "b'no pictu'"),
        (made.png(np.zeros((9, 9, 3), np.uint8)), row(scale=1.0), "one channel, found 3"),
        (made.png(np.zeros((9, 9), np.uint16)), row(scale=1.0), "at least 100 depth readings"),
        (made.linear(METRES, 1000), row("raw Kinect"), "11 bits"),
        (
            made.linear(METRES, 1000),
            row(scale=1000.0, stated={"raw_max": 7.0, "depth_width": 64.0}),
            "raw_max 7, found 6200",
        ),
        (made.linear(METRES, 1000), row(scale=1.0, stated={"depth_height": 9.0}), "depth_height 9"),
        (
            made.linear(METRES, 1000),
            row(scale=1.0, stated={"raw_zero_fraction": 0.8}),
            "raw_zero_fraction 0.8, found 0.0000",
        ),
    ],
)
def test_unknown_or_broken_depth_is_an_error_that_says_what_was_found(
    data: bytes, truth: TruthRow, named: str
):
    with pytest.raises(TruthRowError, match=named.replace("(", r"\(")):
        read_truth(data, truth)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "not JSON"),
        ("[1]", "found list"),
        ('{"id": "a", "depth": "d"}', "'image'"),
        ('{"id": "a", "image": "i", "depth": ""}', "'depth'"),
        ('{"id": "a", "image": "i", "depth": "d", "scale": "big"}', "a number in 'scale'"),
        ('{"id": "a", "image": "i", "depth": "d", "scale": 0}', "positive scale"),
    ],
)
def test_malformed_row_is_an_error_that_names_the_field(line: str, named: str):
    with pytest.raises(TruthRowError, match=named):
        parse_row(line)


@pytest.fixture(scope="module")
def real(real_data: Path) -> dict[str, tuple[TruthRow, bytes]]:
    folder = real_data / "depth_gt"
    rows = [parse_row(line) for line in (folder / "depth.jsonl").read_text().splitlines()]
    return {each.item_id: (each, (folder / each.depth).read_bytes()) for each in rows}


def test_real_files_are_read_by_the_encoding_that_they_state(
    real: dict[str, tuple[TruthRow, bytes]],
):
    found = {name: encoding_of(each) for name, (each, _) in real.items()}
    assert set(found.values()) >= {Encoding.LINEAR, Encoding.SUN, Encoding.KINECT}
    for each, data in real.values():
        truth = read_truth(data, each)
        metres = truth.depth[truth.valid]
        if truth.is_metric:
            assert metres.min() > 0.3
            assert metres.max() < 100
            assert 1 < np.median(metres) < 30
        assert (truth.note is not None) == (encoding_of(each) in {"kinect", "disparity"})


def test_real_metric_files_have_the_median_that_the_pack_states(
    real: dict[str, tuple[TruthRow, bytes]], real_data: Path
):
    lines = (real_data / "depth_gt" / "depth.jsonl").read_text().splitlines()
    stated = {each["id"]: each for each in map(json.loads, lines)}
    for name, (each, data) in real.items():
        if encoding_of(each) is not Encoding.LINEAR:
            continue
        truth = read_truth(data, each)
        expected = stated[name]["raw_median_nonzero"] / stated[name]["scale"]
        assert np.median(truth.depth[truth.valid]) == pytest.approx(expected)
        assert truth.valid.mean() == pytest.approx(1 - stated[name]["raw_zero_fraction"], abs=1e-4)
