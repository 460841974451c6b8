"""Where tables lie: a local folder or a bucket, for pyarrow and, through fsspec, for DuckDB.

The rule that is easy to get wrong: DuckDB reads one opened file from many threads.  pyarrow's own
fsspec bridge keeps one shared position, so those reads race (3 of 12 queries right, ADR 0003).
`ReadOnlyFile` keeps the position per thread and reads by offset only.

With explicit options nothing is taken from the environment; without any, pyarrow's standard
chain applies (`AWS_*` variables with `AWS_ENDPOINT_URL`, profile files, instance roles).
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from pyarrow import fs

from sightline.closable import Closable

S3_SCHEMES = ("s3://", "s3a://")


def normalise_uri(uri: str | Path) -> str:
    """Return an `s3://bucket/prefix` uri or an absolute local path, without a trailing slash."""
    text = str(uri)
    for scheme in S3_SCHEMES:
        if text.startswith(scheme):
            return "s3://" + text.removeprefix(scheme).strip("/")
    return str(Path(text.removeprefix("file://")).expanduser().absolute())


def is_s3(uri: str) -> bool:
    """Return whether `uri` names a bucket rather than a local folder."""
    return uri.startswith(S3_SCHEMES)


def arrow_filesystem(uri: str, storage: Mapping[str, str] | None) -> tuple[fs.FileSystem, str]:
    """Return pyarrow's file system for `uri` and the path of `uri` on it.

    Args:
        uri: as `normalise_uri` gives it.
        storage: object-store options by the names delta-rs uses, such as `aws_endpoint_url`.
    """
    if not is_s3(uri):
        return fs.LocalFileSystem(), uri
    path = uri.removeprefix("s3://")
    if not storage:
        return fs.FileSystem.from_uri(uri)[0], path
    return fs.S3FileSystem(**_arrow_options(storage)), path


def _arrow_options(storage: Mapping[str, str]) -> dict[str, str]:
    names = {
        "aws_access_key_id": "access_key",
        "aws_secret_access_key": "secret_key",
        "aws_session_token": "session_token",
        "aws_region": "region",
        "aws_endpoint_url": "endpoint_override",
    }
    lowered = {key.lower(): value for key, value in storage.items()}
    return {names[key]: value for key, value in lowered.items() if key in names}


class ReadOnlyFile(Closable):
    """One open file with a position per thread; every read is positional."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._local = threading.local()
        self.size: int = source.size()
        self.closed = False

    def tell(self) -> int:
        """Return this thread's position."""
        return int(getattr(self._local, "position", 0))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move this thread's position, as `io.IOBase.seek` does."""
        base = (0, self.tell(), self.size)[whence]
        self._local.position = base + offset
        return base + offset

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes from this thread's position; all that is left if negative."""
        start = self.tell()
        left = max(self.size - start, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data: bytes = self._source.read_at(wanted, start) if wanted else b""
        self._local.position = start + len(data)
        return data

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` from this thread's position; return the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def flush(self) -> None:
        """Do nothing; there is nothing to write."""

    def close(self) -> None:
        """Close the file for all threads."""
        self.closed = True
        self._source.close()


class ArrowFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Read-only fsspec file system over a pyarrow one, safe for DuckDB's threads.

    DuckDB is handed explicit files, so a listing is needed only for the path itself.
    """

    protocol = "s3"
    cachable = False

    def __init__(self, files: fs.FileSystem) -> None:
        super().__init__()
        self._files = files

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("s3://").rstrip("/")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size, type and modification time of one path.

        Raises:
            FileNotFoundError: there is nothing at `path`.
        """
        found = self._files.get_file_info(self._strip_protocol(path))
        if found.type == fs.FileType.NotFound:
            raise FileNotFoundError(path)
        return _entry(found)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002
        """Return the entries of a folder, or the file itself."""
        here = self.info(path)
        entries = [here]
        if here["type"] == "directory":
            selector = fs.FileSelector(self._strip_protocol(path))
            entries = [_entry(found) for found in self._files.get_file_info(selector)]
        return entries if detail else [entry["name"] for entry in entries]

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return `path` itself, without a request: views name files that a snapshot holds."""
        return [self._strip_protocol(path)]

    def modified(self, path: str) -> datetime:  # noqa: ARG002 - the signature is fsspec's
        """Return one moment for all: data files have unique names and never change.

        DuckDB asks this for every file of every query to validate its cache.
        """
        return datetime.fromtimestamp(0, UTC)

    def open(self, path: str, mode: str = "rb", **_: Any) -> ReadOnlyFile:
        """Open a file for reading.

        Raises:
            PermissionError: `mode` asks for writing.
        """
        if "r" not in mode or "+" in mode:
            msg = f"{path} is opened with mode {mode!r}; this file system only reads"
            raise PermissionError(msg)
        return ReadOnlyFile(self._files.open_input_file(self._strip_protocol(path)))


def _entry(found: fs.FileInfo) -> dict[str, Any]:
    kind = "directory" if found.type == fs.FileType.Directory else "file"
    return {"name": found.path, "size": found.size or 0, "type": kind, "mtime": found.mtime}
