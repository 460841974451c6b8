"""Files named by untrusted rows: found only inside one folder, hashed in a stream, read bounded.

A name may not be absolute or an address, may not climb out with `..`, and what it resolves to
after symbolic links must lie in the folder.  Only regular files are opened: reading a named pipe
would hang.
"""

import hashlib
import os
from pathlib import Path

from infra.images.decode import MAX_BYTES
from sightline.errors import Failure, SourceError
from tasks.ingest.source import ImageRef, LoadedImage, Problem, RowRefusedError


class SourceFolder:
    """The images of a source; remembers each name it has hashed."""

    def __init__(self, root: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Refuse a root that is no folder.

        Raises:
            SourceError: `root` does not exist or is no folder.
        """
        if not root.is_dir():
            msg = f"expected a folder of images, found nothing usable at {str(root)!r}"
            raise SourceError(msg)
        self.root = root.resolve()
        self._max_bytes = max_bytes
        self._known: dict[str, ImageRef] = {}

    def ref(self, name: str) -> ImageRef:
        """Return the reference for `name`, with the id of its bytes or why there are none."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._look(name)
        return found

    def load(self, ref: ImageRef) -> LoadedImage:
        """Return the bytes behind `ref`, or why they cannot be had any more."""
        if ref.problem is not None:
            return LoadedImage(ref, problem=ref.problem)
        try:
            with self._checked(ref.name).open("rb") as file:
                data = file.read(self._max_bytes + 1)
            self._refuse_large(len(data))
        except RowRefusedError as exc:
            return LoadedImage(ref, problem=exc.problem)
        except OSError as exc:
            return LoadedImage(ref, problem=_gone(exc))
        return LoadedImage(ref, data)

    def file(self, name: str) -> Path:
        """Return the regular file behind `name`, to be opened by the caller.

        Raises:
            RowRefusedError: outside, missing, no regular file, or too large.
        """
        return self._checked(name)

    def _look(self, name: str) -> ImageRef:
        shown = printable(name)
        try:
            with self._checked(name).open("rb") as file:
                return ImageRef(name, hashlib.file_digest(file, "sha256").hexdigest())
        except RowRefusedError as exc:
            return ImageRef(shown, problem=exc.problem)
        except OSError as exc:
            return ImageRef(shown, problem=_gone(exc))

    def _checked(self, name: str) -> Path:
        """Return the regular file behind `name`.

        Raises:
            RowRefusedError: outside, missing, no regular file, or too large.
        """
        path = self._resolved(name)
        if not path.is_file():
            detail = f"expected an image file at {printable(name)!r}, found none"
            raise RowRefusedError(Failure.IMAGE_MISSING, detail)
        self._refuse_large(path.stat().st_size)
        return path

    def _resolved(self, name: str) -> Path:
        if not name or "\0" in name:
            detail = f"expected the name of an image file, found {printable(name)!r}"
            raise RowRefusedError(Failure.ROW_MALFORMED, detail)
        joined = Path(os.path.normpath(self.root / name))
        if Path(name).is_absolute() or "://" in name or not joined.is_relative_to(self.root):
            raise RowRefusedError(Failure.PATH_OUTSIDE_SOURCE, _outside(name))
        try:
            path = (self.root / name).resolve()
        except (OSError, RuntimeError, ValueError) as exc:
            raise RowRefusedError(Failure.IMAGE_MISSING, str(exc)) from exc
        if not path.is_relative_to(self.root):
            raise RowRefusedError(Failure.PATH_OUTSIDE_SOURCE, _outside(name))
        return path

    def _refuse_large(self, n_bytes: int) -> None:
        if n_bytes > self._max_bytes:
            detail = f"expected at most {self._max_bytes} bytes, found {n_bytes}"
            raise RowRefusedError(Failure.IMAGE_TOO_LARGE, detail)


def printable(name: str) -> str:
    """Return `name` as text that UTF-8 can hold; undecodable bytes of a file name are escaped."""
    errors = "surrogateescape" if _is_escaped(name) else "backslashreplace"
    return name.encode("utf-8", errors).decode("utf-8", "backslashreplace")


def _is_escaped(name: str) -> bool:
    """Return whether all surrogates in `name` are bytes that the file system could not decode."""
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in name)


def _outside(name: str) -> str:
    return (
        f"expected a path inside the image folder, found {printable(name)!r}; "
        "copy or download the image into the folder and name it relative to it"
    )


def _gone(exc: OSError) -> Problem:
    return Problem(Failure.IMAGE_MISSING, f"{type(exc).__name__}: {exc.strerror}")
