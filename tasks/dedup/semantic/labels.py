"""Labelled pairs, from which a cosine threshold is read.

    {"label": 1, "text1": "What is left of the cup?", "text2": "What stands left of the cup?"}
    {"label": 0, "image1": "photos/a.jpg", "image2": "photos/b.jpg"}
    {"label": 1, "kind": "image", "item1": "5b1f...", "item2": "90ac..."}

One JSON object a line.  `label` is 1 for true duplicates; `kind` is `sample`, `chain` or `image`,
and rows of another kind than the wanted one are left out.  Pictures are paths beside the file, or
ids of the lake.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from sightline.errors import SourceError
from sightline.ids import canonical_json
from tasks.dedup.semantic.params import Kind

Row = Mapping[str, Any]
ReadImages = Callable[[list[str]], Mapping[str, bytes]]
"""Returns the stored bytes of image ids."""

LABELS: Final = {0: False, 1: True}
BATCH_ROWS: Final = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """Two contents by their sha256, and whether they are true duplicates."""

    one: str
    other: str
    label: bool


class LabelledPairs:
    """Pairs of one kind; a plain class, so that Prefect does not look inside.

    Attributes:
        kind: of the items.
        pairs: by the sha256 of what they hold.
        contents: texts in UTF-8, or image files, by their sha256.
    """

    def __init__(self, kind: Kind, pairs: list[Pair], contents: Mapping[str, bytes]) -> None:
        self.kind, self.pairs, self.contents = kind, pairs, dict(contents)

    @property
    def sha256(self) -> str:
        """Return the hash of the pairs' content, whatever their order."""
        listed = sorted((*sorted((p.one, p.other)), p.label) for p in self.pairs)
        return hashlib.sha256(canonical_json([list(pair) for pair in listed]).encode()).hexdigest()

    def batches(self) -> Iterator[pa.Table]:
        """Yield what is embedded, as `EmbeddingSource.batches` does."""
        names = sorted(self.contents)
        for start in range(0, len(names), BATCH_ROWS):
            some = names[start : start + BATCH_ROWS]
            values = [self.contents[name] for name in some]
            if self.kind is Kind.IMAGE:
                yield pa.table({"image_id": some, "bytes": pa.array(values, pa.large_binary())})
            else:
                kinds = [self.kind.value] * len(some)
                texts = pa.array([value.decode() for value in values], pa.large_string())
                yield pa.table({"item_id": some, "item_kind": kinds, "text": texts})


def read_pairs(path: Path, kind: Kind | None, stored: ReadImages) -> LabelledPairs:
    """Return the labelled pairs of a file.

    Args:
        path: of a JSONL file.
        kind: wanted; null where the rows themselves say it.
        stored: reads images of the lake.

    Raises:
        SourceError: the file cannot be read, a row is no labelled pair, or a picture is missing.
    """
    rows = list(_rows(path))
    wanted = kind or _kind_of(rows, path)
    chosen = [row for row in rows if row.get("kind", wanted.value) == wanted.value]
    sides = [_sides(row, wanted, path) for row in chosen]
    ids = {name for side in sides if side.form is _Form.ITEM for name in side.names}
    known = stored(sorted(ids)) if ids else {}
    contents: dict[str, bytes] = {}
    pairs = []
    for row, side in zip(chosen, sides, strict=True):
        one, other = (_content(name, side.form, path, known) for name in side.names)
        shas = [hashlib.sha256(data).hexdigest() for data in (one, other)]
        contents |= dict(zip(shas, (one, other), strict=True))
        pairs.append(Pair(shas[0], shas[1], LABELS[row["label"]]))
    if not pairs:
        msg = f"{path}: expected labelled pairs of kind {wanted.value}, found none"
        raise SourceError(msg)
    return LabelledPairs(wanted, pairs, contents)


class _Form(StrEnum):
    """How a row names its two sides."""

    TEXT = "text"
    FILE = "image"
    ITEM = "item"

    @property
    def columns(self) -> tuple[str, str]:
        return f"{self.value}1", f"{self.value}2"


@dataclass(frozen=True, slots=True)
class _Sides:
    form: _Form
    names: tuple[str, str]


def _rows(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{path}: expected a JSONL file of labelled pairs: {exc}"
        raise SourceError(msg) from exc
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as exc:
            msg = f"{path}, line {number}: expected a JSON object: {exc}"
            raise SourceError(msg) from exc
        if not isinstance(row, dict) or row.get("label") not in LABELS:
            msg = f"{path}, line {number}: expected an object whose label is 0 or 1, found {line!r}"
            raise SourceError(msg[:300])
        yield row


def _kind_of(rows: Iterable[Row], path: Path) -> Kind:
    said = {row.get("kind", Kind.IMAGE.value if "image1" in row else None) for row in rows}
    known = {kind.value for kind in Kind}
    if len(said) == 1 and said <= known:
        return Kind(said.pop())
    msg = f"{path}: expected --kind sample, chain or image: the rows do not say one kind"
    raise SourceError(msg)


def _sides(row: Row, kind: Kind, path: Path) -> _Sides:
    forms = (_Form.FILE, _Form.ITEM) if kind is Kind.IMAGE else (_Form.TEXT,)
    for form in forms:
        one, other = (row.get(name) for name in form.columns)
        if isinstance(one, str) and isinstance(other, str) and one.strip() and other.strip():
            return _Sides(form, (one, other))
    known = " or ".join(" and ".join(form.columns) for form in forms)
    msg = f"{path}: expected {known} in every row of kind {kind.value}, found {sorted(row)}"
    raise SourceError(msg)


def _content(name: str, form: _Form, path: Path, known: Mapping[str, bytes]) -> bytes:
    if form is _Form.TEXT:
        return name.encode("utf-8", "replace")
    if form is _Form.ITEM:
        if name not in known:
            msg = f"{path}: the lake holds no image {name!r}"
            raise SourceError(msg)
        return known[name]
    try:
        return (path.parent / name).read_bytes()
    except OSError as exc:
        msg = f"{path}: expected a picture at {name!r}: {exc.strerror}"
        raise SourceError(msg) from exc
