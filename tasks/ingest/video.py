"""The `video` source: frames of a video file, or of every video under a folder, one row each.

Listing reads packets and decodes nothing; loading decodes only what is asked for.  A row is known
by the sha256 of its file and the time of its frame, so asking for more frames later ingests only
those.  A video that cannot be used, or ends early, is a failure of its own beside the frames it
gives.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np

from infra.images.decode import MAX_PIXELS
from infra.images.note import with_note
from infra.images.pixels import encode_jpeg, encode_png
from infra.video.container import MAX_FRAMES, MAX_SECONDS, VideoLimits, VideoProblem
from infra.video.cursors import VideoCursors
from infra.video.index import VideoIndex, read_index
from infra.video.picture import RGB
from sightline.errors import Failure, SourceError, UsageError
from sightline.ids import canonical_json, content_id
from tasks.ingest.folder import SourceFolder, printable
from tasks.ingest.source import (
    Cell,
    ImageRef,
    LoadedImage,
    LoadedRow,
    Origin,
    Problem,
    RowRefusedError,
    SourceRow,
    Statement,
    row_key,
)
from tasks.ingest.video_choice import FrameChoice

SUFFIXES: Final = frozenset({
    "3g2", "3gp", "asf", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts",
    "ogg", "ogv", "ts", "vob", "webm", "wmv",
})  # fmt: skip
MAX_VIDEO_BYTES: Final = 20_000_000_000
JPEG_QUALITY: Final = 95
PICTURE_VERSION: Final = 1
"""Raised when the same frame would give other bytes."""


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Options of a `video` source.

    Attributes:
        path: a video file, or a folder of them.
        every_s: take the frame shown every so many seconds.
        fps: take so many frames of a second; instead of `every_s`.
        max_frames: most frames of a file, spread evenly over those chosen.
        keyframes: take only frames that are decoded alone.
        question: asked about every frame; null makes image-only samples.
        encoding: how frames are stored, `jpeg` (quality 95, full colour) or `png` (lossless).
        licence: licence of every frame.
        split: split of every sample.
        limit: take only the first so many files by relative path.
        max_bytes: longest file read.
        max_frame_pixels: largest frame decoded.
        max_seconds: longest video.
        max_file_frames: most frames in a file, chosen or not.
    """

    path: str
    every_s: float | None = None
    fps: float | None = None
    max_frames: int | None = None
    keyframes: bool = False
    question: str | None = None
    encoding: Literal["jpeg", "png"] = "jpeg"
    licence: str | None = None
    split: str | None = None
    limit: int | None = None
    max_bytes: int = MAX_VIDEO_BYTES
    max_frame_pixels: int = MAX_PIXELS
    max_seconds: float = MAX_SECONDS
    max_file_frames: int = MAX_FRAMES

    def __post_init__(self) -> None:
        """Refuse an unknown encoding; `choice` refuses the rest."""
        if self.encoding not in {"jpeg", "png"}:
            msg = f"encoding of a video source must be jpeg or png, found {self.encoding!r}"
            raise UsageError(msg)

    @property
    def choice(self) -> FrameChoice:
        """Return which frames to take."""
        return FrameChoice(self.every_s, self.fps, self.max_frames, self.keyframes)

    @property
    def limits(self) -> VideoLimits:
        """Return what a video may be."""
        return VideoLimits(self.max_frame_pixels, self.max_seconds, self.max_file_frames)


@dataclass(frozen=True, slots=True)
class _Video:
    """A listed file.

    Attributes:
        sha: sha256 of the file.
        stamp: what tells whether it changed since.
        first_pts: pts of its first frame, ticks.
        tick: length of a tick in seconds.
        chosen: pts of the chosen frames, rising.
    """

    sha: str
    stamp: tuple[int, int]
    first_pts: int
    tick: Fraction
    chosen: tuple[int, ...]


class VideoSource:
    """Frames in the order of their files' relative paths, then of time."""

    def __init__(self, name: str, options: VideoOptions) -> None:
        self.name = name
        self._options, self._choice = options, options.choice
        path = Path(options.path)
        is_file = path.is_file()
        self._folder = SourceFolder(path.parent if is_file else path, max_bytes=options.max_bytes)
        self._names = [path.name] if is_file else video_names(self._folder.root)
        self._shaping = canonical_json([name, options.question, options.licence, options.split])
        self._videos: dict[int, _Video] = {}
        self._cursors = VideoCursors(self._open, options.limits, self._is_chosen)

    def rows(self) -> Iterator[SourceRow]:
        """Yield one row per chosen frame, and one per problem of a file."""
        if not self._names:
            msg = f"expected files with video suffixes under {str(self._folder.root)!r}, found none"
            raise SourceError(msg)
        for number in range(len(self._names))[: self._options.limit]:
            yield from self._file_rows(number)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield the rows of one frame."""
        loaded = {ref: self._load(ref) for row in rows for ref in row.images}
        for row in rows:
            if row.statement is not None:
                yield LoadedRow(row, row.statement, tuple(loaded[ref] for ref in row.images))

    def _file_rows(self, number: int) -> Iterator[SourceRow]:
        name = self._names[number]
        found = self._folder.ref(name)
        if found.image_id is None:
            yield self._problem_row(name, _of_a_video(found.problem))
            return
        try:
            index = self._listed(number, found.image_id)
        except RowRefusedError as exc:
            yield self._problem_row(name, exc.problem, found.image_id)
            return
        for frame in np.searchsorted(index.pts, self._videos[number].chosen).tolist():
            yield self._frame_row(number, index, frame)
        if index.problem is not None:
            yield self._problem_row(name, _as_problem(index.problem), found.image_id)

    def _listed(self, number: int, sha: str) -> VideoIndex:
        """Return the frames of a file, and remember what loading them needs.

        Raises:
            RowRefusedError: it is no video that can be used.
        """
        try:
            with self._folder.file(self._names[number]).open("rb") as file:
                stamp = _stamp(file)
                index = read_index(file, self._options.limits)
        except VideoProblem as exc:
            raise RowRefusedError(exc.code, exc.detail) from exc
        except OSError as exc:
            gone = _gone(exc)
            raise RowRefusedError(gone.code, gone.detail) from exc
        chosen = tuple(int(index.pts[n]) for n in self._choice.numbers(index))
        self._videos[number] = _Video(sha, stamp, int(index.pts[0]), index.tick, chosen)
        return index

    def _frame_row(self, number: int, index: VideoIndex, frame: int) -> SourceRow:
        options, video = self._options, self._videos[number]
        pts, decoded_from = int(index.pts[frame]), index.decoded_from(frame)
        shown = f"{printable(self._names[number])}#t={index.seconds(frame):.3f}"
        made_from = content_id("frame", video.sha, str(pts), options.encoding, str(PICTURE_VERSION))
        ref = ImageRef(shown, made_from=made_from, cell=Cell(number, pts, decoded_from, 0))
        statement = Statement(
            self.name,
            shown,
            question=options.question,
            licence=options.licence,
            split=options.split,
        )
        raw = canonical_json([printable(self._names[number]), pts])
        return SourceRow(row_key(raw, self._shaping, (ref,)), shown, (ref,), statement)

    def _problem_row(self, name: str, problem: Problem, sha: str | None = None) -> SourceRow:
        shown = printable(name)
        ref = ImageRef(shown, sha, problem=None if sha else problem)
        key = row_key(canonical_json([shown, "whole file"]), self._shaping, (ref,))
        return SourceRow(key, shown, problem=problem)

    def _load(self, ref: ImageRef) -> LoadedImage:
        if ref.cell is None:
            return LoadedImage(ref, problem=ref.problem)
        file, pts = ref.cell.file, ref.cell.start
        try:
            rgb = self._cursors.rgb(file, pts, ref.cell.at)
        except RowRefusedError as exc:
            return LoadedImage(ref, problem=exc.problem)
        except VideoProblem as exc:
            return LoadedImage(ref, problem=_as_problem(exc))
        except OSError as exc:
            return LoadedImage(ref, problem=_gone(exc))
        video, (height, width) = self._videos[file], rgb.shape[:2]
        time_s = float((pts - video.first_pts) * video.tick)
        origin = Origin(video.sha, width, height, (0, 0, width, height), time_s)
        note = f"frame at pts {pts} of the video with sha256 {video.sha}"
        return LoadedImage(ref, with_note(self._encoded(rgb), note), origin=origin)

    def _encoded(self, rgb: RGB) -> bytes:
        is_lossless = self._options.encoding == "png"
        return encode_png(rgb) if is_lossless else encode_jpeg(rgb, JPEG_QUALITY)

    def _open(self, number: int) -> BinaryIO:
        file = self._folder.file(self._names[number]).open("rb")
        if _stamp(file) != self._videos[number].stamp:
            file.close()
            detail = "the video changed between listing and reading; the next build reads it anew"
            raise RowRefusedError(Failure.VIDEO_UNREADABLE, detail)
        return file

    def _is_chosen(self, number: int, pts: int) -> bool:
        chosen = self._videos[number].chosen
        at = bisect_left(chosen, pts)
        return at < len(chosen) and chosen[at] == pts


def video_names(root: Path) -> list[str]:
    """Return relative paths of all files under `root` with a video suffix, sorted."""
    found = [
        Path(folder, file).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for file in files
        if Path(file).suffix.lower().removeprefix(".") in SUFFIXES
    ]
    return sorted(found)


def _stamp(file: BinaryIO) -> tuple[int, int]:
    """Return length and time of the last change, in bytes and ns."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _of_a_video(problem: Problem | None) -> Problem:
    """Return a problem that `SourceFolder` found, which speaks of images, as one of a video."""
    if problem is None:
        return Problem(Failure.VIDEO_UNREADABLE, "the file could not be read")
    is_large = problem.code is Failure.IMAGE_TOO_LARGE
    return replace(problem, code=Failure.VIDEO_TOO_LARGE) if is_large else problem


def _gone(exc: OSError) -> Problem:
    return Problem(Failure.IMAGE_MISSING, f"{type(exc).__name__}: {exc.strerror}")


def _as_problem(exc: VideoProblem) -> Problem:
    return Problem(exc.code, exc.detail)
