"""The `visual_cot` source: both public forms of Visual-CoT (arXiv:2403.16999).

Flat records state boxes in pixels (`bboxs`) with the image size.  Conversations state one box
twice: in pixels after `###` in the second image path, and as three-digit fractions of the padded
square in the first reply; the two must agree, or the row is refused.  Conversations state no image
size, so without their images they cannot be used.  Without an image folder flat records become
samples that have no image but keep its declared name and size.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from infra.images.decode import MAX_BYTES
from sightline.errors import Failure, UsageError
from sightline.ids import canonical_json
from tasks.ingest import fields
from tasks.ingest.box_frames import some_size_fits
from tasks.ingest.folder import SourceFolder
from tasks.ingest.records import Record, data_files, read_records
from tasks.ingest.source import (
    Convention,
    ImageRef,
    LoadedRow,
    RowRefusedError,
    SourceRow,
    Statement,
    row_key,
)

DOMAINS: Final = {
    "textvqa": "text_doc", "textcap": "text_doc", "docvqa": "text_doc", "dude": "text_doc",
    "sroie": "text_doc", "flickr30k": "general", "v7w": "general", "visual7w": "general",
    "infographicsvqa": "chart", "cub": "fine_grained", "vsr": "relation", "gqa": "relation",
    "openimages": "relation",
}  # fmt: skip
"""Domain of each dataset, arXiv:2403.16999 table 1."""

BOX_REQUEST: Final = re.compile(
    r"\s*Please provide the bounding box coordinate of the region that can help you answer the "
    r"question better\.\s*\Z"
)
IMAGE_MARK: Final = re.compile(r"\A\s*<image>\s*")
PATH_WITH_BOX: Final = re.compile(r"(?P<path>.*)###(?P<box>\[[^\[\]]*\])", re.DOTALL)
TURNS: Final = 4
FORMS: Final = ("auto", "flat", "conversations")


@dataclass(frozen=True, slots=True)
class VisualCotOptions:
    """Options of a `visual_cot` source.

    Attributes:
        path: a data file, or a folder of them.
        images: folder that image paths are relative to; null ingests rows without images.
        form: `auto` takes each record for what it is; the others refuse records of another form.
        dataset: take only rows of this dataset.
        limit: take only the first so many of them.
        licence: licence of rows and images.
        max_bytes: longest image file read.
    """

    path: str
    images: str | None = None
    form: Literal["auto", "flat", "conversations"] = "auto"
    dataset: str | None = None
    limit: int | None = None
    licence: str | None = None
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        """Refuse a form that does not exist."""
        if self.form not in FORMS:
            msg = f"form must be one of {FORMS}, found {self.form!r}"
            raise UsageError(msg)


class VisualCotSource:
    """Rows of Visual-CoT files in file order."""

    def __init__(self, name: str, options: VisualCotOptions) -> None:
        self.name = name
        self._options = options
        self._files = data_files(Path(options.path))
        self._folder = (
            SourceFolder(Path(options.images), max_bytes=options.max_bytes)
            if options.images is not None
            else None
        )
        self._shaping = canonical_json([name, options.form, options.licence])

    def rows(self) -> Iterator[SourceRow]:
        """Yield one row per record of the wanted dataset; unreadable records belong to any."""
        wanted = self._options.dataset
        chosen = (
            record
            for record in read_records(self._files)
            if wanted is None or record.problem or record.value.get("dataset") == wanted
        )
        for record in islice(chosen, self._options.limit):
            yield self._row(record)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield the rows of one image."""
        folder = self._folder
        loaded = {ref: folder.load(ref) for row in rows for ref in row.images} if folder else {}
        for row in rows:
            if row.statement is not None:
                yield LoadedRow(row, row.statement, tuple(loaded[ref] for ref in row.images))

    def _row(self, record: Record) -> SourceRow:
        try:
            record.require_readable()
            stated = self._stated(record.value)
            refs = self._refs(stated)
        except RowRefusedError as exc:
            key = row_key(record.raw, self._shaping, ())
            return SourceRow(key, _place(record), problem=exc.problem)
        return SourceRow(row_key(record.raw, self._shaping, refs), stated.source_key, refs, stated)

    def _stated(self, record: dict[str, Any]) -> Statement:
        is_conversation = "conversations" in record
        form = "conversations" if is_conversation else "flat"
        if self._options.form not in {"auto", form}:
            fields.refuse(f"a record of the form {self._options.form!r}", sorted(record))
        read = conversation_statement if is_conversation else flat_statement
        return read(record, self.name, self._options.licence)

    def _refs(self, stated: Statement) -> tuple[ImageRef, ...]:
        """Return the image of the row; without a folder, none, if the row can do without."""
        if self._folder is not None:
            return (self._folder.ref(stated.absent_image or ""),)
        if stated.declared_size is not None:
            return ()
        if stated.boxes and stated.square_boxes:
            _require_some_size(stated)
        detail = "conversations state no image size; name the image folder in the option `images`"
        raise RowRefusedError(Failure.IMAGE_MISSING, detail)


def flat_statement(record: dict[str, Any], name: str, licence: str | None) -> Statement:
    """Return what a flat record states.

    Raises:
        RowRefusedError: a field is missing or of the wrong type.
    """
    image = fields.text(fields.required(record, "image"), "image")
    if image is None:
        fields.refuse("the name of an image in 'image'", record["image"])
    dataset = fields.text(record.get("dataset"), "dataset") or name
    return Statement(
        dataset=dataset,
        source_key=image,
        domain=DOMAINS.get(dataset),
        question=fields.text(fields.required(record, "question"), "question"),
        answer=fields.text(fields.required(record, "answer"), "answer"),
        boxes=fields.boxes(fields.required(record, "bboxs"), "bboxs"),
        convention=Convention.PX,
        declared_size=fields.size(
            fields.required(record, "width"), fields.required(record, "height")
        ),
        absent_image=image,
        licence=licence,
        split=fields.text(record.get("split"), "split"),
    )


def conversation_statement(record: dict[str, Any], name: str, licence: str | None) -> Statement:
    """Return what a conversation states.

    Raises:
        RowRefusedError: it is not question, box, image, answer.
    """
    path, box_text = _paths(fields.required(record, "image"))
    question, square_text, answer = _turns(record["conversations"])
    dataset = fields.text(record.get("dataset"), "dataset") or name
    key = fields.text(record.get("question_id"), "question_id")
    return Statement(
        dataset=dataset,
        source_key=path if key is None else f"{path}#{key}",
        domain=DOMAINS.get(dataset),
        question=BOX_REQUEST.sub("", IMAGE_MARK.sub("", question)),
        answer=answer,
        boxes=fields.boxes(_list(box_text), "image"),
        convention=Convention.PX,
        square_boxes=fields.boxes(_list(square_text), "conversations"),
        absent_image=path,
        licence=licence,
        split=fields.text(record.get("split"), "split"),
    )


def _paths(images: Any) -> tuple[str, str]:
    second = images[1] if isinstance(images, list) and len(images) == 2 else None  # noqa: PLR2004
    found = PATH_WITH_BOX.fullmatch(second) if isinstance(second, str) else None
    if found is None or images[0] != found["path"]:
        fields.refuse("[path, 'path###[x0, y0, x1, y1]'] in 'image'", images)
    return fields.storable(found["path"], "image"), found["box"]


def _turns(turns: Any) -> tuple[str, str, str | None]:
    listed = turns if isinstance(turns, list) else []
    values = [t["value"] for t in listed if isinstance(t, dict) and isinstance(t.get("value"), str)]
    if len(values) != TURNS or len(listed) != TURNS:
        fields.refuse("question, box, image and answer in 'conversations'", turns)
    question = fields.storable(values[0], "conversations")
    return question, values[1], fields.text(values[3], "conversations")


def _list(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        detail = f"expected [x0, y0, x1, y1], found {text[: fields.MAX_SHOWN_CHARS]!r}"
        raise RowRefusedError(Failure.BOX_MALFORMED, detail) from exc


def _require_some_size(stated: Statement) -> None:
    for box, square in zip(stated.boxes or (), stated.square_boxes or (), strict=True):
        if not some_size_fits(box, square):
            detail = f"no image size makes {box} px and the padded-square box {square} agree"
            raise RowRefusedError(Failure.BOX_CONVENTION, detail)


def _place(record: Record) -> str:
    return f"file {record.file} at {record.start}"
