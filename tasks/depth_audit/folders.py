"""Folders of true depth and of human labels: what they hold, and under which hash.

True depth is a folder with `depth.jsonl` (see `truth_rows`).  Human labels are a folder with
`labels.jsonl`, a row per picture: `id`, `image`, points `a` and `b` as [x, y] in px, and `nearer`,
which is "a" or "b"; or BLINK's folders of `request.json` and a picture with the points drawn in.
A row that cannot be read is a failure of that row; a folder without rows is an error.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from infra.pool.workers import RowFailure
from sightline.errors import Failure, SourceError
from tasks.depth_audit.markers import Point
from tasks.depth_audit.truth_rows import (
    TruthRow,
    TruthRowError,
    json_object,
    parse_row,
    text_of,
)

T = TypeVar("T", bound="TruthRow | HumanLabel")

TRUTH_FILE: Final = "depth.jsonl"
LABELS_FILE: Final = "labels.jsonl"
REQUEST_FILE: Final = "request.json"
ANSWER: Final = re.compile(r"\(?([AB])\)?", re.IGNORECASE)
QUESTION: Final = re.compile(r"which point is (closer|farther|further)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """Which of two points people see nearer.

    Attributes:
        item_id: names the picture.
        image: path of it inside the folder.
        nearer: "A" or "B".
        points: where they are; None if they are drawn into the picture.
    """

    item_id: str
    image: str
    nearer: str
    points: dict[str, Point] | None


@dataclass(frozen=True, slots=True)
class Folder(Generic[T]):
    """A folder of rows about pictures.

    Attributes:
        path: of the folder.
        rows: that can be read, in their order.
        failures: rows that cannot.
    """

    path: Path
    rows: tuple[T, ...]
    failures: tuple[RowFailure, ...]

    @property
    def name(self) -> str:
        """Return what the folder is called."""
        return self.path.name

    def file(self, relative: str) -> Path:
        """Return the path of a file of the folder.

        Raises:
            TruthRowError: it is not there, or leaves the folder.
        """
        root = self.path.resolve()
        target = (root / relative).resolve()
        if not target.is_relative_to(root):
            msg = f"expected a path inside the folder, found {relative!r}"
            raise TruthRowError(msg, Failure.PATH_OUTSIDE_SOURCE)
        if not target.is_file():
            msg = f"expected a file at {relative!r} in {str(self.path)!r}"
            raise TruthRowError(msg, Failure.IMAGE_MISSING)
        return target

    def read(self, relative: str) -> bytes:
        """Return a file of the folder.

        Raises:
            TruthRowError: it is not there, leaves the folder or cannot be read.
        """
        try:
            return self.file(relative).read_bytes()
        except OSError as exc:
            msg = f"cannot read {relative!r}: {exc.strerror or exc}"
            raise TruthRowError(msg) from exc

    def sha(self, files_of: Callable[[T], tuple[str, ...]]) -> str:
        """Return a hash of all rows and the files they name; a missing file counts as such."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(repr(row).encode())
            for name in files_of(row):
                digest.update(self._file_sha(name))
        digest.update(repr(self.failures).encode())
        return digest.hexdigest()

    def _file_sha(self, name: str) -> bytes:
        try:
            return hashlib.sha256(self.read(name)).digest()
        except TruthRowError:
            return b"-"


def read_truth_folder(path: Path) -> Folder[TruthRow]:
    """Return the rows of true depth in a folder.

    Raises:
        SourceError: there is no `depth.jsonl`, or not one row of it can be read.
    """
    file = path / TRUTH_FILE
    if not file.is_file():
        msg = f"expected {TRUTH_FILE} in {str(path)!r}; see docs/how-to/depth-audit.md"
        raise SourceError(msg)
    return _folder(path, _lines(file), lambda _, text: parse_row(text))


def read_label_folder(path: Path) -> Folder[HumanLabel]:
    """Return the human labels in a folder.

    Raises:
        SourceError: it holds neither layout, or not one row can be read.
    """
    file = path / LABELS_FILE
    if file.is_file():
        return _folder(path, _lines(file), lambda _, text: _label_row(text))
    requests = sorted(path.glob(f"*/{REQUEST_FILE}"))
    if not requests:
        msg = (
            f"expected {LABELS_FILE} or folders with {REQUEST_FILE} in {str(path)!r}; "
            "see docs/how-to/depth-audit.md"
        )
        raise SourceError(msg)
    texts = ((e.parent.name, e.read_text(encoding="utf-8", errors="replace")) for e in requests)
    return _folder(path, texts, _request)


def _folder(
    path: Path, texts: Iterator[tuple[str, str]], parse: Callable[[str, str], T]
) -> Folder[T]:
    rows: dict[str, T] = {}
    failures: list[RowFailure] = []
    for name, text in texts:
        try:
            row = parse(name, text)
        except TruthRowError as exc:
            failures.append(RowFailure(name, exc.code, str(exc)))
            continue
        if row.item_id in rows:
            detail = f"another row is called {row.item_id!r} too"
            failures.append(RowFailure(name, Failure.ROW_DUPLICATED, detail))
        rows.setdefault(row.item_id, row)
    if not rows:
        first = f": {failures[0].detail}" if failures else ""
        msg = f"no row of {str(path)!r} can be used{first}"
        raise SourceError(msg)
    return Folder(path.resolve(), tuple(rows.values()), tuple(failures))


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that holds something, named by its number."""
    text = file.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{file.name}:{number}", line


def _label_row(text: str) -> HumanLabel:
    value = json_object(text)
    nearer = text_of(value, "nearer").upper()
    if nearer not in {"A", "B"}:
        msg = f"expected 'a' or 'b' in 'nearer', found {value['nearer']!r}"
        raise TruthRowError(msg)
    points = {"A": _point(value, "a"), "B": _point(value, "b")}
    return HumanLabel(text_of(value, "id"), text_of(value, "image"), nearer, points)


def _point(value: dict[str, Any], name: str) -> Point:
    match value.get(name):
        case [int() | float() as x, int() | float() as y]:
            return Point(int(x), int(y))
        case found:
            msg = f"expected [x, y] in px in {name!r}, found {found!r}"
            raise TruthRowError(msg)


def _request(folder: str, text: str) -> HumanLabel:
    """Return BLINK's question; the picture lies beside it under the name that it states."""
    value = json_object(text)
    asked = QUESTION.search(text_of(value, "query"))
    answer = ANSWER.fullmatch(text_of(value, "answer").strip())
    if asked is None or answer is None:
        msg = (
            "expected the question which point is closer, answered (A) or (B), "
            f"found {value['query']!r}: {value['answer']!r}"
        )
        raise TruthRowError(msg)
    match value.get("images"):
        case [str() as stated]:
            image = f"{folder}/{Path(stated).name}"
        case found:
            msg = f"expected one picture in 'images', found {found!r}"
            raise TruthRowError(msg)
    said = answer[1].upper()
    is_nearer = asked[1].lower() == "closer"
    nearer = said if is_nearer else {"A": "B", "B": "A"}[said]
    return HumanLabel(folder, image, nearer, None)
