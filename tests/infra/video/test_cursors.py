"""Frames in any order, from many threads, with seeks that land where they like."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from infra.video.container import VideoLimits, VideoProblem
from infra.video.cursors import MAX_OPEN, VideoCursors
from infra.video.index import VideoIndex, read_index
from sightline.errors import Failure
from tests.tasks.ingest.clips import clip, number_of

LIMITS = VideoLimits()
N_FRAMES = 60
CLIPS = [
    ("libx264", "a.mp4", {"gop": 250}),
    ("libx264", "a.mkv", {"gop": 12, "bf": 3}),
    ("libx264", "a.ts", {"gop": 12}),
    ("libx264", "open_gop.mp4", {"gop": 12, "bf": 3, "x264-params": "open-gop=1"}),
    ("libvpx-vp9", "a.webm", {"gop": 20}),
    ("mjpeg", "a.mov", {"pix_fmt": "yuvj420p"}),
]


def index_of(path: Path) -> VideoIndex:
    with path.open("rb") as file:
        return read_index(file, LIMITS)


def reader(cursors: VideoCursors, index: VideoIndex, file: int = 0) -> Callable[[int], int]:
    """Return what reads frame n and says which number it shows."""

    def read(n: int) -> int:
        return number_of(cursors.rgb(file, int(index.pts[n]), index.decoded_from(n)))

    return read


@pytest.mark.parametrize(("codec", "name", "options"), CLIPS, ids=[c[1] for c in CLIPS])
def test_cursors_give_each_frame_whatever_the_order(
    tmp_path: Path, codec: str, name: str, options: dict[str, Any]
):
    path = clip(tmp_path / name, codec, times_ms=range(0, 40 * N_FRAMES, 40), **options)
    index = index_of(path)
    read = reader(VideoCursors(lambda _: path.open("rb"), LIMITS, lambda *_: True), index)
    order = np.random.default_rng(5).permutation(N_FRAMES).tolist()
    assert [read(n) for n in range(N_FRAMES)] == list(range(N_FRAMES))
    assert [read(n) for n in order] == order


def test_cursors_are_shared_by_threads_and_few_files_stay_open(tmp_path: Path):
    paths = [clip(tmp_path / f"{n}.mp4", numbers=range(n, n + 30)) for n in range(6)]
    indexes, opened = [index_of(path) for path in paths], []

    def open_file(number: int) -> BinaryIO:
        opened.append(paths[number].open("rb"))
        return opened[-1]

    cursors = VideoCursors(open_file, LIMITS, lambda *_: True)
    wanted = [(f, n) for n in range(30) for f in range(6)]

    def read(place: tuple[int, int]) -> int:
        return reader(cursors, indexes[place[0]], place[0])(place[1])

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(read, wanted)) == [f + n for f, n in wanted]
    assert sum(not file.closed for file in opened) <= MAX_OPEN


def test_cursors_frame_that_is_not_there_is_damaged_and_the_next_is_read(tmp_path: Path):
    path = clip(tmp_path / "a.mp4")
    index = index_of(path)
    cursors = VideoCursors(lambda _: path.open("rb"), LIMITS, lambda *_: True)
    with pytest.raises(VideoProblem) as caught:
        cursors.rgb(0, int(index.pts[3]) + 1, index.decoded_from(3))
    assert caught.value.code is Failure.VIDEO_DAMAGED
    assert reader(cursors, index)(4) == 4
