"""Items of a benchmark: its texts as they stand, its pictures found but not yet decoded.

Names of pictures are not trusted: they are looked up in one folder, and nothing outside it is
opened.  A record that cannot be read is an item without content and with its problem, so that it
counts as not checked; nothing of a benchmark is dropped silently.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.images.decode import MAX_BYTES, ImageProblem, decode
from infra.images.pixels import phash256, pixel_sha
from sightline.errors import Failure, SourceError
from sightline.ids import image_id
from tasks.decontaminate.gallery import Look
from tasks.decontaminate.items import Item, Picture, PictureFacts, bare
from tasks.decontaminate.layout import Columns, Layout, find_layout
from tasks.decontaminate.records import Entry, benchmark_files, column_names, entries
from tasks.ingest import fields
from tasks.ingest.folder import SourceFolder, printable
from tasks.ingest.image_folder import image_names
from tasks.ingest.source import ImageRef, LoadedImage, Problem, RowRefusedError
from tasks.ingest.table_cells import cell_items, embedded_bytes, path_of
from tasks.ingest.visual_cot import BOX_REQUEST, PATH_WITH_BOX
from tasks.replies.python_lists import text_list

BARE_BASE64: Final = re.compile(r"(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)[A-Za-z0-9+/=\s]{200,}\Z")
"""An encoded JPEG, PNG, GIF or WebP without the head of a data URI."""
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ASKERS: Final = frozenset({"human", "user"})
MAX_NAME_CHARS: Final = 200


class BenchmarkFiles:
    """The items of a file, or of all data files below a folder; may be read several times."""

    def __init__(
        self, path: Path, columns: Columns | None = None, images: Path | None = None
    ) -> None:
        """Find the files and their layouts.

        Raises:
            SourceError: there is nothing to read, or a file's columns mean nothing.
        """
        self._path = path
        self._files = benchmark_files(path)
        self._root = path if path.is_dir() else path.parent
        if not self._files and not (path.is_dir() and image_names(path)):
            msg = f"expected a file, or a folder with data files or images, at {str(path)!r}"
            raise SourceError(msg)
        given = columns or Columns()
        self.layouts = {
            file: find_layout(column_names(file), given, repr(str(file))) for file in self._files
        }
        homes = {images or file.parent for file in self._files} | {images or self._root}
        self._folders = {home: SourceFolder(home) for home in homes}
        self._images = images

    def items(self) -> Iterator[Item]:
        """Yield every item in a stable order.

        Raises:
            SourceError: a file as a whole cannot be read.
        """
        for file, layout in self.layouts.items():
            place = file.relative_to(self._root).as_posix()
            folder = self._folders[self._images or file.parent]
            for entry in entries(file, layout.columns):
                yield item_of(entry, layout, folder, place)
        if not self._files:
            folder = self._folders[self._images or self._root]
            for name in image_names(folder.root):
                yield Item(printable(name), pictures=(Picture(folder.ref(name)),))

    @property
    def uri(self) -> str:
        """Return the path that was given."""
        return str(self._path.resolve())

    def facts(self, picture: Picture) -> PictureFacts | Problem:
        """Return what a picture is compared by, or why it cannot be."""
        image = self._load(picture)
        if image.problem is not None:
            return image.problem
        try:
            rgb = decode(image.data).rgb
        except ImageProblem as exc:
            return Problem(exc.code, exc.detail)
        return PictureFacts(pixel_sha(rgb), bytes.fromhex(phash256(rgb)), Look.of(rgb))

    def looks(self) -> Iterator[tuple[str, Look]]:
        """Yield nothing: every picture brings its own."""
        return iter(())

    def _load(self, picture: Picture) -> LoadedImage:
        """Return a picture with its bytes, or why there are none."""
        if picture.data or picture.ref.problem is not None:
            return LoadedImage(picture.ref, picture.data, picture.ref.problem)
        for folder in self._folders.values():
            loaded = folder.load(picture.ref)
            if loaded.problem is None and image_id(loaded.data) == picture.ref.image_id:
                return loaded
        detail = "the picture changed or went away while the benchmark was read"
        return LoadedImage(picture.ref, problem=Problem(Failure.IMAGE_MISSING, detail))


def item_of(entry: Entry, layout: Layout, folder: SourceFolder, place: str) -> Item:
    """Return the item that a record states; what cannot be read of it becomes problems."""
    name = f"{place}:{entry.place}"
    if entry.problem is not None:
        return Item(name, problems=(Problem(Failure.ROW_MALFORMED, entry.problem),))
    try:
        named = fields.text(entry.value.get(layout.item or ""), "id") or name
        return _read(named[:MAX_NAME_CHARS], entry.value, layout, folder)
    except RowRefusedError as exc:
        return Item(name, problems=(exc.problem,))


def _read(name: str, value: Mapping[str, Any], layout: Layout, folder: SourceFolder) -> Item:
    question = _question(value.get(layout.question or ""), layout.question or "")
    choices = _choices(value, layout)
    pictures = _pictures(value, layout, folder)
    texts = [fields.text(value.get(column), column) for column in layout.texts]
    return Item(
        name,
        question=question,
        choices=choices,
        answers=_answers(value.get(layout.answer or ""), choices),
        texts=tuple(text for text in texts if text is not None),
        pictures=tuple(pictures.found.values()),
        unread=tuple(pictures.unread),
        problems=tuple(pictures.problems.values()),
    )


def _question(value: Any, column: str) -> str | None:
    """Return the question, or the first thing that a person says in a conversation."""
    if isinstance(value, list):
        value = next((_said(turn) for turn in value if _said(turn) is not None), None)
    text = fields.text(value, column)
    return None if text is None else bare(BOX_REQUEST.sub("", text)) or None


def _said(turn: Any) -> Any:
    if not isinstance(turn, dict) or turn.get("from", turn.get("role")) not in ASKERS:
        return None
    said = turn.get("value", turn.get("content"))
    if isinstance(said, list):
        said = " ".join(str(piece["text"]) for piece in said if _is_text(piece))
    return said


def _is_text(piece: Any) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("text"), str)


def _choices(value: Mapping[str, Any], layout: Layout) -> tuple[str, ...]:
    if len(layout.choices) > 1:
        found = [fields.text(value.get(column), column) for column in layout.choices]
        return tuple(text for text in found if text is not None)
    column = layout.choices[0] if layout.choices else ""
    listed = value.get(column)
    if isinstance(listed, dict):
        listed = listed.get("text", list(listed.values()))
    if isinstance(listed, str):
        listed = _list_in(listed)
    return fields.texts(listed, column) or ()


def _list_in(text: str) -> list[str]:
    """Return the options that one text holds, written as JSON or by Python; or the text itself."""
    found = text_list(text)
    if found is None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
    return list(found) if isinstance(found, list | tuple) else [text]


def _answers(value: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    scalars = [v for v in listed if isinstance(v, str | int | float)]
    found = [text for v in scalars if (text := fields.text(v, "answer")) is not None]
    named = [choice for text in found for choice in _lettered(text, choices)]
    return (*found, *named)


def _lettered(text: str, choices: tuple[str, ...]) -> tuple[str, ...]:
    """Return the option that a letter names; none if `text` is no letter of one."""
    at = LETTERS.find(text.strip("(). ").upper())
    return choices[at : at + 1] if at >= 0 and len(text.strip("(). ")) == 1 else ()


@dataclass(slots=True)
class _Pictures:
    """What the image columns of a record hold."""

    found: dict[str, Picture] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)
    problems: dict[Failure, Problem] = field(default_factory=dict)

    def add(self, cell: Any, folder: SourceFolder) -> None:
        """Take one cell: a name, bytes or a data URI."""
        try:
            picture = _picture(cell, folder)
        except RowRefusedError as exc:
            self.problems.setdefault(exc.problem.code, exc.problem)
            return
        problem = picture.ref.problem
        if problem is None:
            self.found.setdefault(picture.ref.content_key, picture)
            return
        self.problems.setdefault(problem.code, problem)
        if problem.code is Failure.IMAGE_MISSING:
            self.unread.setdefault(picture.ref.name[:MAX_NAME_CHARS])


def _pictures(value: Mapping[str, Any], layout: Layout, folder: SourceFolder) -> _Pictures:
    pictures = _Pictures()
    for cell in (item for column in layout.images for item in cell_items(value.get(column))):
        if cell is not None and cell != "":
            pictures.add(cell, folder)
    return pictures


def _picture(cell: Any, folder: SourceFolder) -> Picture:
    if isinstance(cell, str) and BARE_BASE64.match(cell):
        cell = f"data:;base64,{''.join(cell.split())}"
    data = embedded_bytes(cell, MAX_BYTES)
    if data is not None:
        sha = image_id(data)
        return Picture(ImageRef(f"bytes {sha[:16]}", sha), data)
    name = path_of(cell)
    boxed = PATH_WITH_BOX.fullmatch(name)
    return Picture(folder.ref(boxed["path"] if boxed else name))
