"""The video source, on clips that the tests write: codecs, containers, times, rotation, bytes."""

from collections.abc import Sequence
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.images.decode import decode
from sightline.errors import SourceError, UsageError
from tests.tasks.ingest.clips import clip, number_of
from tests.tasks.ingest.ingested import Ingested, ingest

CLIPS = [
    ("libx264", "h264.mp4", {}),
    ("libx264", "h264.mkv", {}),
    ("libx264", "h264.ts", {}),
    ("libx265", "hevc.mp4", {"x265-params": "log-level=none"}),
    ("libvpx", "vp8.webm", {}),
    ("libvpx-vp9", "vp9.webm", {}),
    ("libsvtav1", "av1.mp4", {"svtav1-params": "preset=12"}),
    ("mpeg4", "mpeg4.avi", {}),
    ("mpeg4", "mpeg4.mp4", {"bf": 2}),
    ("mjpeg", "mjpeg.mov", {"pix_fmt": "yuvj420p"}),
    ("ffv1", "ffv1.mkv", {}),
    ("flv1", "flv1.flv", {}),
]


def numbers(found: Ingested) -> list[int]:
    return [number_of(decode(data).rgb) for data in found.images["bytes"].to_pylist()]


@pytest.mark.parametrize(("codec", "name", "options"), CLIPS, ids=[c[1] for c in CLIPS])
def test_video_frames_on_a_grid_are_those_a_player_shows(
    tmp_path: Path, codec: str, name: str, options: dict[str, Any]
):
    path = clip(tmp_path / name, codec, **options)
    found = ingest("video", {"path": str(path), "every_s": 0.2})
    assert found.codes == {}
    assert numbers(found) == [0, 5, 10, 15, 20, 25]
    times = ["0.000", "0.200", "0.400", "0.600", "0.800", "1.000"]
    assert found.samples["source_key"].to_pylist() == [f"{name}#t={t}" for t in times]
    assert found.images["source_key"].to_pylist() == found.samples["source_key"].to_pylist()


@pytest.mark.parametrize(
    ("choice", "shown"),
    [
        ({"every_s": 0.5}, [0, 12, 25]),
        ({"fps": 5}, [0, 5, 10, 15, 20, 25]),
        ({"fps": 1000}, list(range(30))),
        ({"max_frames": 3}, [5, 15, 25]),
        ({"max_frames": 99}, list(range(30))),
        ({"fps": 5, "max_frames": 2}, [5, 20]),
        ({"keyframes": True}, [0, 8, 16, 24]),
        ({"keyframes": True, "every_s": 0.5}, [0, 8, 24]),
    ],
)
def test_video_choice_of_frames(tmp_path: Path, choice: dict[str, Any], shown: list[int]):
    path = clip(tmp_path / "a.mp4", sc_threshold=0)
    assert numbers(ingest("video", {"path": str(path)} | choice)) == shown


@pytest.mark.parametrize(
    ("times_ms", "every_s", "shown"),
    [
        ([0, 40, 1000, 1010, 5000], 1, [0, 2, 3, 4]),
        ([0, 40, 1000, 1010, 5000], 2.5, [0, 3, 4]),
        ([0, 990, 1000, 1001], 1, [0, 2]),
    ],
)
def test_video_variable_frame_rate_goes_by_time_not_by_count(
    tmp_path: Path, times_ms: Sequence[int], every_s: float, shown: list[int]
):
    path = clip(tmp_path / "vfr.mkv", times_ms=times_ms)
    found = ingest("video", {"path": str(path), "every_s": every_s})
    assert numbers(found) == shown
    assert found.images["origin_time_s"].to_pylist() == [times_ms[n] / 1000 for n in shown]


@pytest.mark.parametrize(
    ("rotation", "quarters"), [(0, 0), (90, 1), (180, 2), (-90, 3)], ids=["0", "90", "180", "-90"]
)
def test_video_rotation_is_applied(tmp_path: Path, rotation: int, quarters: int):
    plain = clip(tmp_path / "plain.mp4", times_ms=[0])
    turned = clip(tmp_path / "turned.mp4", times_ms=[0], rotation=rotation)
    options = {"max_frames": 1, "encoding": "png"}
    first, second = (
        decode(ingest("video", {"path": str(p)} | options).images["bytes"][0].as_py()).rgb
        for p in (plain, turned)
    )
    assert np.array_equal(np.rot90(first, quarters), second)


def test_video_rotation_by_no_quarter_is_a_typed_failure(tmp_path: Path):
    path = clip(tmp_path / "askew.mp4", times_ms=[0], rotation=30)
    assert ingest("video", {"path": str(path), "fps": 1}).codes == {"video_unsupported": 1}


@pytest.mark.parametrize(
    ("shape", "size"), [(Fraction(4, 3), (128, 64)), (Fraction(1, 2), (96, 128))]
)
def test_video_pixels_come_out_square(tmp_path: Path, shape: Fraction, size: tuple[int, int]):
    path = clip(tmp_path / "wide.mp4", times_ms=[0], pixel_shape=shape)
    (image,) = ingest("video", {"path": str(path), "fps": 1}).images.to_pylist()
    assert (image["width"], image["height"]) == size
    assert (image["origin_width"], image["origin_height"]) == size


def test_video_frame_says_where_it_comes_from(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    found = ingest("video", {"path": str(path), "every_s": 1, "question": "What is it?",
                             "licence": "CC0-1.0", "split": "train"})  # fmt: skip
    image, sample = found.images.to_pylist()[1], found.samples.to_pylist()[1]
    assert image["origin_sha"] == sha256(path.read_bytes()).hexdigest()
    assert image["origin_box"] == [0.0, 0.0, 96.0, 64.0]
    assert image["origin_time_s"] == 1.0
    assert (image["parent_image_id"], image["licence"]) == (None, "CC0-1.0")
    assert (sample["question"], sample["split"]) == ("What is it?", "train")
    assert sample["image_ids"] == [image["image_id"]]


def test_video_still_shot_gives_an_image_per_frame_with_the_same_pixels(tmp_path: Path):
    path = clip(tmp_path / "still.mkv", "ffv1", numbers=[7] * 10, times_ms=range(0, 400, 40))
    found = ingest("video", {"path": str(path), "fps": 25}, part_rows=3)
    assert found.codes == {}
    assert len(set(found.images["image_id"].to_pylist())) == 10
    assert len(set(found.images["pixel_sha"].to_pylist())) == 1


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_video_again_in_other_parts_and_threads_gives_the_same_bytes(tmp_path: Path, encoding: str):
    options = {"path": str(clip(tmp_path / "a.mp4")), "fps": 25, "encoding": encoding}
    one = ingest("video", options, threads=1)
    many = ingest("video", options, threads=4, part_rows=7)
    assert one.images["format"].to_pylist() == [encoding] * 30
    assert one.images.equals(many.images)
    assert one.samples.equals(many.samples)


def test_video_more_frames_later_ingest_only_those(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    first = ingest("video", {"path": str(path), "every_s": 0.4})
    again = ingest("video", {"path": str(path), "every_s": 0.2}, known=first.known())
    assert numbers(again) == [5, 15, 25]
    assert ingest("video", {"path": str(path), "every_s": 0.4}, known=first.known()).plans == []


def test_video_folder_takes_files_by_suffix_in_order_of_names(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    clip(tmp_path / "sub" / "b.webm", "libvpx")
    clip(tmp_path / "a.mp4")
    (tmp_path / "notes.txt").write_text("no video")
    found = ingest("video", {"path": str(tmp_path), "max_frames": 1})
    assert found.samples["source_key"].to_pylist() == ["a.mp4#t=0.600", "sub/b.webm#t=0.600"]
    one = ingest("video", {"path": str(tmp_path), "max_frames": 1, "limit": 1})
    assert one.samples.num_rows == 1


def test_video_same_file_twice_is_ingested_once(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(path.read_bytes())
    found = ingest("video", {"path": str(tmp_path), "max_frames": 2})
    assert (found.images.num_rows, found.codes) == (2, {"row_duplicated": 2})


@pytest.mark.parametrize(
    "options",
    [{}, {"every_s": 1, "fps": 1}, {"every_s": 0}, {"fps": -1.0}, {"max_frames": 0},
     {"fps": float("nan")}, {"fps": 1, "encoding": "webp"}, {"fps": 1, "max_frame_pixels": 0},
     {"fps": 1, "nonsense": 1}],
)  # fmt: skip
def test_video_options_that_cannot_work_are_refused(tmp_path: Path, options: dict[str, Any]):
    with pytest.raises(UsageError):
        ingest("video", {"path": str(clip(tmp_path / "a.mp4", times_ms=[0]))} | options)


def test_video_folder_without_videos_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="video suffixes"):
        ingest("video", {"path": str(tmp_path), "fps": 1})
