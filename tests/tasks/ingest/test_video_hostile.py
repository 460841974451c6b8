"""Videos nobody vouches for: cut, damaged, beyond limits, or no videos at all."""

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.images.decode import decode
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.kinds import open_source
from tasks.ingest.part import ingest_part
from tasks.ingest.plan import Known, plan_parts
from tests.tasks.ingest.clips import clip, number_of, sound
from tests.tasks.ingest.ingested import Ingested, ingest

EVERY_FRAME = {"fps": 25}


def frames_of(path: Path, **options: Any) -> Ingested:
    return ingest("video", {"path": str(path)} | EVERY_FRAME | options)


def shown(found: Ingested) -> dict[int, int]:
    """Return the number each frame shows, by the number its time says."""
    pairs = zip(found.images["origin_time_s"], found.images["bytes"], strict=True)
    return {round(t.as_py() * 25): number_of(decode(data.as_py()).rgb) for t, data in pairs}


def pixels_of(found: Ingested) -> dict[float, np.ndarray]:
    """Return the pixels of each frame, by its time in seconds."""
    rows = found.images.to_pylist()
    return {row["origin_time_s"]: decode(row["bytes"]).rgb.astype(int) for row in rows}


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_video_cut_short_keeps_what_came_before_and_says_so(tmp_path: Path, name: str):
    path = clip(tmp_path / name, times_ms=range(0, 4000, 40))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    found = frames_of(path)
    assert found.codes["video_damaged"] >= 1
    right = shown(found)
    assert 20 < len(right) < 100
    assert all(time == number % 64 for time, number in ((t % 64, n) for t, n in right.items()))


def test_video_without_its_index_is_one_failure(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"moov", b"mooo", 1))
    found = frames_of(path)
    assert (found.codes, found.samples.num_rows) == ({"video_unreadable": 1}, 0)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_video_damaged_frames_fail_and_those_given_are_right(tmp_path: Path, codec: str):
    path = clip(tmp_path / "a.mp4", codec, size=(256, 192))
    whole, data = pixels_of(frames_of(path)), path.read_bytes()
    n_lost = 0
    for seed in range(6):
        random, broken = np.random.default_rng(seed), bytearray(data)
        at = int(random.integers(len(data) // 3, len(data) - 60))
        broken[at : at + 24] = random.bytes(24)
        path.write_bytes(bytes(broken))
        found = frames_of(path)
        given = pixels_of(found)
        n_lost += len(whole) - len(given)
        assert set(found.codes) <= {"video_damaged"}
        assert found.codes.get("video_damaged", 0) == len(whole) - len(given)
        assert len(given) >= len(whole) // 3, "damage ends at the next key frame"
        for at_s, rgb in given.items():
            assert np.abs(rgb - whole[at_s]).max() <= 12, (seed, at_s)
    assert n_lost > 0


def test_video_sound_alone_has_no_frames(tmp_path: Path):
    found = frames_of(sound(tmp_path / "a.mp4"))
    assert found.codes == {"video_unsupported": 1}
    assert "audio" in found.failures["detail"][0].as_py()


PLAYLIST = b"""#EXTM3U
#EXT-X-TARGETDURATION:9
#EXTINF:9,
http://127.0.0.1:9/a.ts
#EXT-X-ENDLIST
"""


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("empty.mp4", b"", "video_unreadable"),
        ("text.mp4", b"no video at all\n" * 999, "video_unreadable"),
        ("zeros.avi", bytes(100_000), "video_unreadable"),
        ("list.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "video_unsupported"),
        ("play.ts", PLAYLIST, "video_unreadable"),
    ],
)
def test_video_files_that_are_none_are_typed_failures(
    tmp_path: Path, name: str, data: bytes, code: str
):
    clip(tmp_path / "good.mp4")
    (tmp_path / name).write_bytes(data)
    found = frames_of(tmp_path)
    assert (found.codes, found.samples.num_rows) == ({code: 1}, 30)


def test_video_image_under_a_video_suffix_is_unsupported(tmp_path: Path, picture: Any):
    (tmp_path / "a.mp4").write_bytes(picture())
    assert frames_of(tmp_path).codes == {"video_unsupported": 1}


def test_video_codec_outside_the_list_is_named(tmp_path: Path):
    found = frames_of(clip(tmp_path / "a.avi", "rawvideo", times_ms=[0, 40]))
    assert found.codes == {"video_unsupported": 1}
    assert "rawvideo" in found.failures["detail"][0].as_py()


def test_video_reordered_frames_without_times_are_unsupported(tmp_path: Path):
    found = frames_of(clip(tmp_path / "a.avi", "libx264", bf=2))
    assert found.codes == {"video_unsupported": 1}
    assert "remux" in found.failures["detail"][0].as_py()


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"max_frame_pixels": 96 * 64 - 1}, "video_too_large"),
        ({"max_seconds": 1.0}, "video_too_large"),
        ({"max_file_frames": 29}, "video_too_large"),
        ({"max_bytes": 1000}, "video_too_large"),
    ],
)
def test_video_beyond_a_limit_is_refused(tmp_path: Path, limit: dict[str, Any], code: str):
    found = frames_of(clip(tmp_path / "a.mp4"), **limit)
    assert (found.codes, found.samples.num_rows) == ({code: 1}, 0)


def test_video_link_out_of_the_folder_is_refused(tmp_path: Path):
    (tmp_path / "in").mkdir()
    clip(tmp_path / "out.mp4")
    (tmp_path / "in" / "a.mp4").symlink_to(tmp_path / "out.mp4")
    assert frames_of(tmp_path / "in").codes == {"path_outside_source": 1}


def test_video_changed_after_listing_is_a_failure_of_its_frames(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    source = open_source("video", "data", {"path": str(path)} | EVERY_FRAME)
    plans = plan_parts(source.rows(), Known(), name="data", part_rows=100)
    clip(path, numbers=range(5, 35))
    os.utime(path, (1, 1))
    chunks = [c for p in plans for c in ingest_part(source, p, ImageLimits(), Known())]
    codes = {code for c in chunks for code in c.failures["code"].to_pylist()}
    assert (codes, sum(c.samples.num_rows for c in chunks)) == ({"video_unreadable"}, 0)


def test_video_memory_stays_flat_over_a_long_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tasks.ingest.part.CHUNK_ROWS", 50)
    path = clip(tmp_path / "long.mp4", times_ms=range(0, 16_000, 40), size=(320, 240), gop=250)
    source = open_source("video", "data", {"path": str(path)} | EVERY_FRAME)
    (plan,) = plan_parts(source.rows(), Known(), name="data", part_rows=10_000)
    peaks, rows = [], 0
    for chunk in ingest_part(source, plan, ImageLimits(), Known(), threads=2):
        rows += chunk.samples.num_rows
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert rows == 400
    assert peaks[-1] - peaks[0] < 20_000, "KiB beyond the first 100 of 400 frames, 90 MB of RGB"
