"""The files of `/v1/files`: uploads of batch inputs, and what batches leave behind.

A file is its bytes and, beside them, one line of JSON; both lie on disk so that a restarted server
still knows them and an input of 200 MB is not held in memory.  The form of an upload is read here,
not by a library: its two parts are in memory already, and none of the installed ones reads them.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

_NAME: Final = re.compile(rb'[; ]name="([^"]*)"')
_FILENAME: Final = re.compile(rb'filename="([^"]*)"')
_ID: Final = re.compile(r"file-([0-9a-f]{24})")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known about a file; `bytes` is its length, `created_at` seconds since 1970."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: str

    def to_wire(self) -> dict[str, Any]:
        """Return the file object of the API."""
        return asdict(self) | {"object": "file", "status": "processed", "status_details": None}


@dataclass(frozen=True, slots=True)
class Upload:
    """The parts of an upload's form."""

    purpose: str
    filename: str
    data: bytes


class FileStore:
    """Files in a folder, ids in the order of their making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = max(map(_number, folder.glob("*.json")), default=0)

    def add(self, upload: Upload) -> StoredFile:
        """Store an upload."""
        self._folder.mkdir(parents=True, exist_ok=True)
        waiting = self._folder / "incoming"
        waiting.write_bytes(upload.data)
        stored = self.adopt(waiting, upload.filename, upload.purpose)
        waiting.unlink()
        return stored

    def adopt(self, path: Path, filename: str, purpose: str) -> StoredFile:
        """Make a file of the same disk one of the store's as well; its own name stays."""
        self._count += 1
        stored = StoredFile(
            id=f"file-{self._count:024x}",
            bytes=path.stat().st_size,
            created_at=int(time.time()),
            filename=filename,
            purpose=purpose,
        )
        self.path(stored.id).hardlink_to(path)
        self._meta(stored.id).write_text(json.dumps(asdict(stored)), encoding="utf-8")
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """Return what is known about a file, null if there is none."""
        if not _ID.fullmatch(file_id) or not self._meta(file_id).exists():
            return None
        return StoredFile(**json.loads(self._meta(file_id).read_text(encoding="utf-8")))

    def newest_first(self) -> Iterator[StoredFile]:
        """Yield every file."""
        for meta in sorted(self._folder.glob("*.json"), reverse=True):
            yield StoredFile(**json.loads(meta.read_text(encoding="utf-8")))

    def path(self, file_id: str) -> Path:
        """Return where a file's bytes are."""
        return self._folder / f"{file_id}.data"

    def delete(self, file_id: str) -> None:
        """Forget a file."""
        self._meta(file_id).unlink(missing_ok=True)
        self.path(file_id).unlink(missing_ok=True)

    def _meta(self, file_id: str) -> Path:
        return self._folder / f"{file_id}.json"


def read_upload(content_type: bytes, body: bytes) -> Upload | None:
    """Return the parts of a multipart form (RFC 7578), null if `purpose` or `file` is missing."""
    boundary = re.search(rb'boundary="?([^";]+)"?', content_type)
    if boundary is None:
        return None
    fields: dict[bytes, tuple[bytes, bytes]] = {}
    for part in body.split(b"--" + boundary.group(1)):
        head, _, data = part.partition(b"\r\n\r\n")
        name, filename = _NAME.search(head), _FILENAME.search(head)
        if name:
            fields[name.group(1)] = (filename.group(1) if filename else b"", data[:-2])
    if not {b"purpose", b"file"} <= set(fields):
        return None
    (_, purpose), (filename_, data) = fields[b"purpose"], fields[b"file"]
    return Upload(purpose.decode("utf-8", "replace"), filename_.decode("utf-8", "replace"), data)


def _number(meta: Path) -> int:
    found = _ID.fullmatch(meta.stem)
    return int(found.group(1), 16) if found else 0
