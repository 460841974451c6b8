"""The `table` source: JSON Lines, a JSON array or Parquet, with a mapping of columns.

`columns` says which column holds which field; a field that is not mapped is null, and a mapped
column that a row lacks refuses the row.  Boxes need a stated convention.  Rows whose images are
only named, and not shipped, keep their declared name and size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from infra.images.decode import MAX_BYTES
from sightline.errors import UsageError
from sightline.ids import canonical_json
from tasks.ingest import fields
from tasks.ingest.folder import SourceFolder
from tasks.ingest.records import IN_ARRAY, Record, data_files, read_records
from tasks.ingest.source import (
    Convention,
    ImageRef,
    LoadedImage,
    LoadedRow,
    RowRefusedError,
    SourceRow,
    Statement,
    row_key,
)
from tasks.ingest.table_cells import cell_items, embedded_bytes, embedded_ref, path_of
from tasks.ingest.table_images import CellImages

FIELDS: Final = (
    "question", "answer", "image", "boxes", "choices", "domain", "dataset", "source_key", "split",
    "licence", "width", "height",
)  # fmt: skip
CONVENTIONS: Final = tuple(c.value for c in Convention)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options of a `table` source.

    Attributes:
        path: a data file, or a folder of them.
        columns: field name to column name; fields are question, answer, image, boxes, choices,
            domain, dataset, source_key, split, licence, width and height.
        images: folder that image paths are relative to.
        box_convention: how boxes are stated, `px`, `unit`, `unit_1000` or `padded_square`; needed
            if `boxes` is mapped.
        licence: licence where no column gives one.
        split: split where no column gives one.
        limit: take only the first so many rows.
        max_bytes: longest image.
    """

    path: str
    columns: Mapping[str, str] = field(default_factory=dict)
    images: str | None = None
    box_convention: str | None = None
    licence: str | None = None
    split: str | None = None
    limit: int | None = None
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        """Refuse mappings that cannot work."""
        unknown = sorted(set(self.columns) - set(FIELDS))
        if unknown or not {"question", "image"} & set(self.columns):
            msg = (
                f"columns must map at least 'question' or 'image', and only {FIELDS}; "
                f"found {dict(self.columns)}"
            )
            raise UsageError(msg)
        if "boxes" in self.columns and self.box_convention not in CONVENTIONS:
            msg = f"box_convention must be one of {CONVENTIONS}, found {self.box_convention!r}"
            raise UsageError(msg)


class TableSource:
    """Rows of a table in file order."""

    def __init__(self, name: str, options: TableOptions) -> None:
        self.name = name
        self._options = options
        self._files = data_files(Path(options.path))
        self._folder = (
            SourceFolder(Path(options.images), max_bytes=options.max_bytes)
            if options.images is not None
            else None
        )
        self._cells = CellImages(self._files, options.columns.get("image", ""), options.max_bytes)
        self._shaping = canonical_json(
            [name, dict(options.columns), options.box_convention, options.licence, options.split]
        )

    def rows(self) -> Iterator[SourceRow]:
        """Yield one row per record."""
        wanted = tuple(dict.fromkeys(self._options.columns.values()))
        for record in islice(read_records(self._files, wanted), self._options.limit):
            yield self._row(record)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield the rows of one image."""
        loaded = {ref: self._load(ref) for row in rows for ref in row.images}
        for row in rows:
            if row.statement is not None:
                yield LoadedRow(row, row.statement, tuple(loaded[ref] for ref in row.images))

    def _load(self, ref: ImageRef) -> LoadedImage:
        if ref.cell is not None:
            return self._cells.load(ref)
        if self._folder is None:
            return LoadedImage(ref, problem=ref.problem)
        return self._folder.load(ref)

    def _row(self, record: Record) -> SourceRow:
        try:
            record.require_readable()
            refs, absent = self._images(record)
            stated = self._stated(record.value, absent)
            if not refs and stated.declared_size is None:
                fields.refuse("an image, or its declared width and height", absent)
        except RowRefusedError as exc:
            place = f"file {record.file} at {record.start}+{record.at}"
            return SourceRow(row_key(record.raw, self._shaping, ()), place, problem=exc.problem)
        return SourceRow(row_key(record.raw, self._shaping, refs), stated.source_key, refs, stated)

    def _images(self, record: Record) -> tuple[tuple[ImageRef, ...], str | None]:
        """Return the images of a row, and the name of the one it names but does not ship."""
        items = cell_items(self._value(record.value, "image"))
        refs: list[ImageRef] = []
        absent: str | None = None
        for number, item in enumerate(items):
            data = embedded_bytes(item, self._options.max_bytes)
            if data is not None and record.at == IN_ARRAY:
                fields.refuse("images in JSON Lines or Parquet, not inside a JSON array", item)
            if data is not None:
                place = (record.file, record.start, record.at)
                refs.append(embedded_ref(data, item, place, number))
            elif self._folder is not None:
                refs.append(self._folder.ref(path_of(item)))
            else:
                absent = absent or fields.storable(path_of(item), "image")
        if absent is not None and refs:
            fields.refuse("all images of a row in the table, or a folder `images`", absent)
        return tuple(refs), absent

    def _value(self, record: Mapping[str, Any], name: str) -> Any:
        """Return the value mapped to field `name`; null if the field is not mapped."""
        column = self._options.columns.get(name)
        return None if column is None else fields.required(record, column)

    def _text(self, record: Mapping[str, Any], name: str) -> str | None:
        return fields.text(self._value(record, name), self._options.columns.get(name, name))

    def _stated(self, record: Mapping[str, Any], absent: str | None) -> Statement:
        options = self._options
        boxes = fields.boxes(self._value(record, "boxes"), "boxes")
        return Statement(
            dataset=self._text(record, "dataset") or self.name,
            source_key=self._text(record, "source_key"),
            domain=self._text(record, "domain"),
            question=self._text(record, "question"),
            choices=fields.texts(self._value(record, "choices"), "choices"),
            answer=self._text(record, "answer"),
            boxes=boxes,
            convention=Convention(options.box_convention or "") if boxes else None,
            declared_size=fields.size(self._value(record, "width"), self._value(record, "height")),
            absent_image=absent,
            licence=self._text(record, "licence") or options.licence,
            split=self._text(record, "split") or options.split,
        )
