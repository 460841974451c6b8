"""The stages with a network of a few lines: order, verdicts, bounds, and two batches at once."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra.images.decode import ImageProblem, decode
from infra.images.pixels import encode_png
from sightline.errors import Failure
from sightline.schemas import SEGMENTS
from tasks.vision import stages
from tasks.vision.pictures import RGB, Picture, Size
from tasks.vision.stages import Stages

RANDOM = np.random.default_rng(5)


@dataclass(frozen=True)
class SaidMeans:
    pictures: Sequence[Picture]
    means: Sequence[float]

    def wait(self) -> Sequence[float]:
        time.sleep(0.001)
        if any(mean > 254 for mean in self.means):
            raise ImageProblem(Failure.IMAGE_TOO_LARGE, "too bright")
        return self.means


@dataclass
class Means:
    """Says each picture's mean; its input has half the picture's sides."""

    is_overlapped: bool = True
    threads: int = 2
    batches: list[tuple[Size, int]] = field(default_factory=list)
    thread_names: set[str] = field(default_factory=set)
    held: int = 0
    most_held: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def size(self, width: int, height: int) -> Size:
        return (width // 2, height // 2)

    def batch_size(self, size: Size) -> int:
        del size
        return 3

    def staged(self, rgb: RGB, size: Size) -> Any:
        assert size == (rgb.shape[1] // 2, rgb.shape[0] // 2)
        with self.lock:
            self.held += 1
            self.most_held = max(self.most_held, self.held)
        return float(rgb.mean())

    def infer(self, batch: Sequence[tuple[Picture, Any]], size: Size) -> Sequence[SaidMeans]:
        self.batches.append((size, len(batch)))
        self.thread_names.add(threading.current_thread().name)
        with self.lock:
            self.held -= len(batch)
        return [SaidMeans([p for p, _ in batch], [mean for _, mean in batch])]


def rows(picture: Picture, said: float) -> list[dict[str, Any]]:
    if picture.width == 26:
        raise ImageProblem(Failure.WORKER_ERROR, "not 26")
    row = dict.fromkeys(SEGMENTS.payload.names)
    made = {"image_id": picture.image_id, "segment_id": 1, "model": "means", "score": said / 255}
    made |= {"box": [0.0, 0.0, 1.0, 1.0], "area_px": picture.width, "mask_rle": "0"}
    made |= {"mask_width": 1, "mask_height": 1, "weights_sha": "0" * 64, "category": "any"}
    return [row | made]


def picture(width: int, height: int) -> bytes:
    return encode_png(RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8))


def batch_of(*data: bytes) -> pa.Table:
    return pa.table({"image_id": [f"i{n}" for n in range(len(data))], "bytes": list(data)})


@pytest.mark.parametrize("is_overlapped", [True, False], ids=["overlapped", "in lanes"])
def test_stages_mixed_shapes_and_bad_rows_come_out_in_order(is_overlapped: bool):  # noqa: FBT001
    shapes = [(20, 10), (30, 30), (20, 10), (26, 10), (20, 10), (30, 30), (20, 10), (21, 11)]
    data = [picture(*shape) for shape in shapes]
    network = Means(is_overlapped)
    out = Stages(network, rows, SEGMENTS)(batch_of(*data[:2], b"no picture", *data[2:]))
    assert out.table["image_id"].to_pylist() == ["i0", "i1", "i3", "i5", "i6", "i7", "i8"]
    kept = [one for one in data if decode(one).rgb.shape[1] != 26]
    means = [decode(one).rgb.mean() / 255 for one in kept]
    assert out.table["score"].to_pylist() == pytest.approx(means, rel=1e-5)
    assert [(f.item_id, f.code) for f in out.failures] == [
        ("i2", Failure.IMAGE_UNREADABLE),
        ("i4", Failure.WORKER_ERROR),
    ]
    # 20 x 10 and 21 x 11 have one input size, in passes of three; a lane takes one picture
    of_one_shape = [((10, 5), 2), ((10, 5), 3), ((13, 5), 1), ((15, 15), 2)]
    alone = [(size, 1) for size, pictures in of_one_shape for _ in range(pictures)]
    assert sorted(network.batches) == (of_one_shape if is_overlapped else alone)
    assert len(network.thread_names) == 1 or not is_overlapped


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_stages_passes_do_not_depend_on_the_number_of_lanes(lanes: int):
    network = Means(is_overlapped=False, threads=lanes)
    out = Stages(network, rows, SEGMENTS)(batch_of(*[picture(20, 10) for _ in range(8)]))
    assert out.table["image_id"].to_pylist() == [f"i{n}" for n in range(8)]
    assert network.batches == [((10, 5), 1)] * 8
    assert network.most_held <= lanes


def test_stages_verdict_on_a_pass_is_one_on_each_of_its_pictures():
    white = encode_png(np.full((8, 8, 3), 255, dtype=np.uint8))
    out = Stages(Means(), rows, SEGMENTS)(batch_of(white, picture(20, 10), white))
    assert out.table["image_id"].to_pylist() == ["i1"]
    assert [(f.item_id, f.code) for f in out.failures] == [
        ("i0", Failure.IMAGE_TOO_LARGE),
        ("i2", Failure.IMAGE_TOO_LARGE),
    ]


def test_stages_batch_of_nothing_usable_is_empty():
    out = Stages(Means(), rows, SEGMENTS)(batch_of(b"", b"x"))
    assert out.table.schema == SEGMENTS.payload
    assert len(out.failures) == 2


def test_stages_hold_the_pixels_of_a_few_waves_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stages, "WAVE_PICTURES", 3)
    network = Means()
    Stages(network, rows, SEGMENTS)(batch_of(*[picture(20, 10)] * 60))
    assert network.most_held <= 3 * 3 * (1 + stages.AHEAD)


def test_stages_large_pictures_make_small_waves(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stages, "WAVE_BYTES", 3 * 20 * 10 * 2)
    network = Means(is_overlapped=False)
    Stages(network, rows, SEGMENTS)(batch_of(*[picture(20, 10)] * 7))
    assert {count for _, count in network.batches} <= {1, 2}
    assert network.most_held <= 2


def test_stages_two_batches_at_once_share_one_device_thread():
    network = Means()
    worker = Stages(network, rows, SEGMENTS)
    tables = [batch_of(*[picture(20, 10) for _ in range(20)]) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = [out.table for out in pool.map(worker, tables)]
    assert all(a.equals(worker(b).table) for a, b in zip(together, tables, strict=True))
    assert len(network.thread_names) == 1


def test_stages_error_of_the_network_is_not_swallowed():
    class Broken(Means):
        def infer(self, batch: Sequence[tuple[Picture, Any]], size: Size) -> Sequence[SaidMeans]:
            del batch, size
            msg = "device-side assert"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="assert"):
        Stages(Broken(), rows, SEGMENTS)(batch_of(picture(20, 10)))


def test_stages_know_no_torch(repo_root: Path):
    assert "torch" not in (repo_root / "tasks/vision/stages.py").read_text().split('"""', 2)[2]
