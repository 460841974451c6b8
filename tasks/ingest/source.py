"""What a source is: rows that are cheap to list, and what loading a row gives.

Listing and loading are apart because a build lists everything to find what is new, and loads only
that.  A row key covers the raw row, the options that shape its sample, and the content of its
images (or why they are absent), never a position: a file that appears later gives a new key, so
its row is tried again.  A row that cannot be used carries a `Problem`; nothing is guessed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sightline.boxes import Box
from sightline.errors import Failure, clip_detail
from sightline.ids import content_id


class Convention(StrEnum):
    """How a source states its boxes; see `sightline.boxes`."""

    PX = "px"
    UNIT = "unit"
    UNIT_1000 = "unit_1000"
    PADDED_SQUARE = "padded_square"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row or an image of it cannot be used."""

    code: Failure
    detail: str


class RowRefusedError(Exception):
    """Raised while one row is read; turned into its `Problem` at the row's border."""

    def __init__(self, code: Failure, detail: str) -> None:
        super().__init__(code, detail)
        self.problem = Problem(code, clip_detail(detail))


@dataclass(frozen=True, slots=True)
class Cell:
    """Where an image stands inside a file that holds many.

    Attributes:
        file: number of the file in the source.
        start: byte offset of a JSON line, number of a Parquet row group, or pts of a video frame.
        at: length of the line in bytes, row within the group, or pts of the key frame.
        item: which image of the cell.
    """

    file: int
    start: int
    at: int
    item: int


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a row before its bytes are loaded.

    Attributes:
        name: the source's own name for it.
        image_id: sha256 of its bytes; None for an image that is made on loading, or absent.
        made_from: content id of what an image is made from; equal exactly when the bytes are.
        problem: why there are no bytes to load.
        cell: where the bytes stand, for images inside a table.
    """

    name: str
    image_id: str | None = None
    made_from: str | None = None
    problem: Problem | None = None
    cell: Cell | None = None

    @property
    def content_key(self) -> str:
        """Return what two references to the same bytes share; for a problem, its code."""
        if self.problem is not None:
            return str(self.problem.code)
        return self.image_id or self.made_from or "absent"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a source states about one question, read but not yet checked against the image.

    Attributes:
        dataset: name of the dataset.
        answer_kind: how to compare answers, where the source knows it.
        boxes: four finite numbers each, in `convention`.
        square_boxes: a second statement of the same boxes as fractions of the padded square.
        declared_size: (width, height) in pixels.
        absent_image: name of an image that the source does not ship.
    """

    dataset: str
    source_key: str | None = None
    domain: str | None = None
    question: str | None = None
    choices: tuple[str, ...] | None = None
    answer: str | None = None
    answer_kind: str | None = None
    boxes: tuple[Box, ...] | None = None
    convention: Convention | None = None
    square_boxes: tuple[Box, ...] | None = None
    declared_size: tuple[int, int] | None = None
    absent_image: str | None = None
    licence: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row as listed; `statement` is None where only loading can tell (rendered scenes)."""

    row_key: str
    source_key: str | None
    images: tuple[ImageRef, ...] = ()
    statement: Statement | None = None
    problem: Problem | None = None

    @property
    def group_key(self) -> str:
        """Return what rows of one image share; they are planned and loaded together."""
        if self.problem is not None or any(ref.problem for ref in self.images):
            return self.row_key
        if self.images:
            return self.images[0].content_key
        absent = self.statement.absent_image if self.statement else None
        return self.row_key if absent is None else content_id("absent", absent)


@dataclass(frozen=True, slots=True)
class Origin:
    """The file an image was made from, where that file itself is not stored.

    Attributes:
        sha256: of the file: a video, or a picture too large to store.
        width: of the upright picture in it, px.
        height: of the upright picture in it, px.
        box: the region of that picture which the image shows, px.
        time_s: of a video frame, since the first frame.
    """

    sha256: str
    width: int
    height: int
    box: tuple[int, int, int, int]
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image with its bytes, or the reason why there are none."""

    ref: ImageRef
    data: bytes = b""
    problem: Problem | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class LoadedRow:
    """A row ready to become a sample; one source row may give several, as a scene does."""

    row: SourceRow
    statement: Statement
    images: tuple[LoadedImage, ...] = ()


class Source(Protocol):
    """Where rows come from."""

    @property
    def name(self) -> str:
        """Return the name the recipe gives the dataset."""

    def rows(self) -> Iterator[SourceRow]:
        """Yield every row in a stable order, without decoding or making an image.

        Raises:
            SourceError: the source as a whole cannot be read.
        """

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield `rows`, which share a group key, with their images; called from many threads."""


def row_key(raw: str, options_key: str, images: Sequence[ImageRef]) -> str:
    """Return the key of a source row.

    Args:
        raw: the row's own text, canonical.
        options_key: the source options that shape the sample.
        images: its images as found now.
    """
    return content_id("row", raw, options_key, *(ref.content_key for ref in images))
