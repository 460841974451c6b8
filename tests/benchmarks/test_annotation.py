import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.annotate import missed_goals
from benchmarks.annotation.inputs import numbered, part_sizes, photos, synthetic, write_lake
from benchmarks.annotation.job import Job
from benchmarks.annotation.networks import SIZES, TINY, count_parameters, write_checkpoint
from benchmarks.annotation.rounds import ratios, split
from benchmarks.measuring.process_tree import growth
from benchmarks.measuring.stages import StageClock
from infra.images.decode import decode
from infra.lake.lake import Lake
from sightline.ids import image_id
from sightline.schemas import IMAGES


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return synthetic(3, 64, 48)


@pytest.fixture
def job(tmp_path: Path, pictures: list[bytes]) -> Job:
    files = tmp_path / "pictures"
    files.mkdir()
    for number, data in enumerate(pictures):
        (files / f"{number}.jpg").write_bytes(data)
    return Job(
        contender="sightline",
        checkpoint=str(write_checkpoint(TINY, tmp_path / "checkpoint", 28)),
        pictures=str(files),
        lake=str(tmp_path / "lake"),
        parts=("images-000",),
        warm_part="warm",
        scratch=str(tmp_path),
        side=28,
        precision="fp32",
    )


@pytest.mark.parametrize("model", SIZES)
def test_configuration_of_a_published_network_has_its_number_of_parameters(model: str):
    assert count_parameters(SIZES[model]) == SIZES[model].parameters


def test_numbered_pictures_differ_in_bytes_and_not_in_pixels(pictures: list[bytes]):
    found = list(numbered(pictures, 7))
    assert len({hashlib.sha256(data).digest() for data in found}) == 7
    for number, data in enumerate(found):
        np.testing.assert_array_equal(decode(data).rgb, decode(pictures[number % 3]).rgb)


def test_photos_of_a_folder_are_its_jpegs(tmp_path: Path, pictures: list[bytes]):
    (tmp_path / "a.jpg").write_bytes(pictures[0])
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    assert photos([tmp_path], 10) == [pictures[0]]
    with pytest.raises(FileNotFoundError, match="--synthetic"):
        photos([tmp_path / "nowhere"], 10)


def test_parts_hold_all_pictures_once(tmp_path: Path, pictures: list[bytes]):
    sizes = part_sizes(7, 3)
    assert sum(sizes.values()) == 7
    write_lake(tmp_path, pictures, sizes)
    stored = [row for batch in Lake(tmp_path).scan(IMAGES) for row in batch.to_pylist()]
    assert len({row["image_id"] for row in stored}) == 7
    assert all(row["image_id"] == image_id(row["bytes"]) for row in stored)


def test_job_survives_its_file(job: Job, tmp_path: Path):
    assert Job.read(job.write(tmp_path / "job.json")) == job


def test_bare_forward_computes_the_shapes_that_the_worker_would(job: Job):
    from benchmarks.annotation.bare import BareForward

    contender = BareForward(job)
    assert contender.run() == 3
    assert contender.facts["shapes"] == {"42x28": 3}


def test_sightline_run_commits_every_picture_in_each_round(job: Job, pictures: list[bytes]):
    from benchmarks.annotation.sightline_run import SightlineRun

    write_lake(Path(job.lake), pictures, {"images-000": 3, "warm": 1})
    contender = SightlineRun(job)
    for _ in range(2):
        contender.prepare()
        assert contender.run() == 3
        assert contender.stored_bytes() > 0
    contender.close()


def test_pipeline_at_equal_input_computes_what_the_worker_computes(job: Job):
    from benchmarks.annotation.pipeline_peer import EqualPipeline

    contender = EqualPipeline(job)
    assert contender.run() == 3
    pixels = contender.preprocessed(job.files()[0])
    assert tuple(pixels.shape) == (1, 3, 28, 42)


SLACK_S = 0.05
"""The kernel brings a running thread's count up to date at its clock ticks."""


def busy(over: threading.Event, computed: list[float]) -> None:
    while not over.is_set():
        sum(range(1000))
        computed.append(time.thread_time())


def test_stage_clock_charges_a_thread_to_the_function_it_is_in():
    clock = StageClock({f"{Path(__file__).name}:busy": "busy"})
    over, computed = threading.Event(), [0.0]
    worker = threading.Thread(target=busy, args=(over, computed))
    clock.start()
    worker.start()
    while computed[-1] < 0.2:
        time.sleep(0.01)
    before = computed[-1]
    found = clock.stop()
    over.set()
    worker.join()
    assert before - SLACK_S <= found["busy"] <= computed[-1] + SLACK_S


def test_growth_of_flat_memory_is_one():
    assert growth([5, 10, 10, 10]) == 1.0
    assert growth([1, 10, 15, 20]) == 2.0


def figures(rate: float, cpu_s: float) -> dict[str, Any]:
    return {"images_per_s": rate, "cpu_s_per_image": cpu_s}


def test_ratios_are_of_rates_and_of_cpu_seconds():
    found = ratios({"sightline": figures(9.0, 0.2), "bare forward": figures(10.0, 0.1)})
    assert found == {"rate over bare forward": 0.9, "CPU of bare forward over own": 0.5}
    assert missed_goals(found, "cpu") == ["rate over bare forward: 0.9 < 0.95"]
    assert missed_goals(found, "NVIDIA H100") == []


def test_split_is_per_image_and_largest_first():
    run = {"images": 10, "stages": {"decode": 0.1, "forward": 1.0}}
    assert list(split(run).items()) == [("forward", 100.0), ("decode", 10.0)]


def test_forward_as_placed_computes_every_picture(job: Job):
    from benchmarks.annotation.placed import PlacedForward

    assert PlacedForward(job).run() == 3
