"""The `image_folder` source: every image file under a folder, with one question for all or none.

Files are taken by suffix, because a folder of images also holds notes and labels; a file of
another kind under an image suffix becomes a typed failure.  Links are not followed into other
folders, and a link to a file outside is refused like any other name.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.images.decode import MAX_BYTES
from sightline.errors import SourceError
from sightline.ids import canonical_json
from tasks.ingest.folder import SourceFolder, printable
from tasks.ingest.source import LoadedRow, SourceRow, Statement, row_key

SUFFIXES = frozenset({
    "avif", "bmp", "dib", "gif", "heic", "heif", "ico", "j2k", "jp2", "jpe", "jpeg", "jpg", "mpo",
    "pbm", "pgm", "png", "pnm", "ppm", "svg", "tif", "tiff", "webp",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFolderOptions:
    """Options of an `image_folder` source.

    Attributes:
        path: the folder.
        question: asked about every image; null makes image-only samples.
        licence: licence of every image.
        split: split of every sample.
        limit: take only the first so many files by relative path.
        max_bytes: longest file read.
    """

    path: str
    question: str | None = None
    licence: str | None = None
    split: str | None = None
    limit: int | None = None
    max_bytes: int = MAX_BYTES


class ImageFolderSource:
    """Images of a folder in the order of their relative paths."""

    def __init__(self, name: str, options: ImageFolderOptions) -> None:
        self.name = name
        self._options = options
        self._folder = SourceFolder(Path(options.path), max_bytes=options.max_bytes)

    def rows(self) -> Iterator[SourceRow]:
        """Yield one row per image file."""
        names = image_names(self._folder.root)
        if not names:
            msg = f"expected files with image suffixes under {str(self._folder.root)!r}, found none"
            raise SourceError(msg)
        for name in names[: self._options.limit]:
            yield self._row(name)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Yield the rows of one image."""
        loaded = {ref: self._folder.load(ref) for row in rows for ref in row.images}
        for row in rows:
            if row.statement is not None:
                yield LoadedRow(row, row.statement, tuple(loaded[ref] for ref in row.images))

    def _row(self, name: str) -> SourceRow:
        options, ref, shown = self._options, self._folder.ref(name), printable(name)
        statement = Statement(
            self.name,
            shown,
            question=options.question,
            licence=options.licence,
            split=options.split,
        )
        shaping = canonical_json([self.name, options.question, options.licence, options.split])
        return SourceRow(row_key(shown, shaping, (ref,)), shown, (ref,), statement)


def image_names(root: Path) -> list[str]:
    """Return relative paths of all files under `root` with an image suffix, sorted."""
    found = [
        Path(folder, file).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for file in files
        if Path(file).suffix.lower().removeprefix(".") in SUFFIXES
    ]
    return sorted(found)
