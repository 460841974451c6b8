"""Objects under one root, in a local folder or a bucket: weights, spools, reports, exports.

`put(create_only=True)` is the only conditional write anything may rely on: S3 servers agree on
`If-None-Match: *` for a single PUT and on little else (Ceph RGW ignores it when a multipart upload
completes, and takes `If-Match` only with an unquoted etag).  Tables go through `infra.lake.lake`.

Checksums are sent and checked only where the operation requires them; the newer default of the
AWS SDKs makes uploads to other servers fail with 411.  The option is set on the client here, so
no process needs `AWS_REQUEST_CHECKSUM_CALCULATION` in its environment (ADR 0003).
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sightline.arrow_files import is_s3, normalise_uri
from sightline.errors import LakeError, UsageError

TEMPORARY_PREFIX = ".incomplete-"
"""Local files being written; never listed, never read."""

NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
EXISTS_CODES = frozenset({"412", "PreconditionFailed"})
MULTIPART_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """How to reach an S3 endpoint; None leaves a value to the standard AWS chain."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    allow_http: bool = False

    def delta(self) -> dict[str, str]:
        """Return the options by delta-rs's names; `open_lake` and pyarrow take the same."""
        values = {
            "aws_endpoint_url": self.endpoint_url,
            "aws_region": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
        }
        given = {name: value for name, value in values.items() if value is not None}
        plain_http = self.allow_http or (self.endpoint_url or "").startswith("http://")
        if plain_http:
            given["aws_allow_http"] = "true"
        if not given:
            return {}
        return given | {"aws_conditional_put": "etag"}

    def boto(self) -> dict[str, Any]:
        """Return keyword arguments for `boto3.client("s3", ...)`."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
            "config": Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "max_attempts": 6},
                max_pool_connections=32,
                s3={"addressing_style": "path" if self.endpoint_url else "auto"},
            ),
        }


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object; `key` is relative to the store's root."""

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """What any store of objects can do; keys are relative, with `/` between their parts."""

    uri: str

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        """Store `data` atomically; return False if `create_only` and the key is taken."""

    def get(self, key: str) -> bytes:
        """Return the content.

        Raises:
            FileNotFoundError: there is no such object.
        """

    def exists(self, key: str) -> bool:
        """Return whether there is such an object."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Return the objects whose keys start with `prefix`, in the order of their keys."""

    def delete(self, key: str) -> None:
        """Remove the object if it is there."""

    def upload(self, path: Path, key: str) -> None:
        """Store a file of any size; it appears whole or not at all."""

    def download(self, key: str, path: Path) -> None:
        """Write the content to `path`, which appears whole or not at all."""


def open_store(uri: str | Path, storage: StorageOptions | None = None) -> "ObjectStore":
    """Return the store of a local folder or an `s3://bucket/prefix`."""
    normalised = normalise_uri(uri)
    if is_s3(normalised):
        return S3Store(normalised, storage or StorageOptions())
    return LocalStore(normalised)


def _checked(key: str) -> str:
    parts = PurePosixPath(key).parts
    if not key or key.startswith("/") or ".." in parts or "\\" in key:
        msg = f"expected a relative object key without '..', found {key!r}"
        raise LakeError(msg)
    return key


class LocalStore:
    """Objects as files in a folder; writes are a rename or a link, never a partial file."""

    def __init__(self, uri: str) -> None:
        """Name the folder; it is made by the first write.

        Raises:
            UsageError: a file stands where the folder would be.
        """
        self.uri = uri
        self._root = Path(uri)
        if self._root.is_file():
            msg = f"expected a folder for the lake at {uri!r}, found a file; name another path"
            raise UsageError(msg)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        """See `ObjectStore.put`."""
        temporary = self._temporary(key)
        with temporary.open("wb") as file:
            file.write(data)
            _sync(file)
        return self._settle(temporary, key, create_only=create_only)

    def get(self, key: str) -> bytes:
        """See `ObjectStore.get`."""
        return self._path(key).read_bytes()

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        return self._path(key).is_file()

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        is_folder = not prefix or prefix.endswith("/")
        folder = self._root / prefix if is_folder else (self._root / prefix).parent
        found = []
        for path in folder.rglob("*"):
            key = path.relative_to(self._root).as_posix()
            if key.startswith(prefix) and not path.name.startswith(TEMPORARY_PREFIX):
                found.append((key, path))
        for key, path in sorted(found):
            with suppress(FileNotFoundError):  # deleted since it was listed
                if path.is_file():
                    stat = path.stat()
                    yield ObjectInfo(key, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        self._path(key).unlink(missing_ok=True)

    def upload(self, path: Path, key: str) -> None:
        """See `ObjectStore.upload`."""
        temporary = self._temporary(key)
        with path.open("rb") as source, temporary.open("wb") as target:
            shutil.copyfileobj(source, target, MULTIPART_BYTES)
            _sync(target)
        self._settle(temporary, key, create_only=False)

    def download(self, key: str, path: Path) -> None:
        """See `ObjectStore.download`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
        shutil.copyfile(self._path(key), temporary)
        temporary.replace(path)

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)

    def _temporary(self, key: str) -> Path:
        folder = self._path(key).parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"

    def _settle(self, temporary: Path, key: str, *, create_only: bool) -> bool:
        if not create_only:
            temporary.replace(self._path(key))
            return True
        try:
            os.link(temporary, self._path(key))  # unlike rename, a link never replaces
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


class S3Store:
    """Objects under a prefix of a bucket; the client is made on first use, so stores pickle."""

    def __init__(self, uri: str, storage: StorageOptions) -> None:
        self.uri = uri
        self._storage = storage
        self._bucket, _, self._prefix = uri.removeprefix("s3://").partition("/")
        self._made: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return (S3Store, (self.uri, self._storage))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        """See `ObjectStore.put`."""
        condition = {"IfNoneMatch": "*"} if create_only else {}
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=self._full(key), Body=data, **condition
            )
        except (ClientError, BotoCoreError) as exc:
            if _code(exc) in EXISTS_CODES:
                return False
            raise _as_lake_error(exc, key) from exc
        return True

    def get(self, key: str) -> bytes:
        """See `ObjectStore.get`."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=self._full(key))
            content: bytes = found["Body"].read()
        except (ClientError, BotoCoreError) as exc:
            raise _as_lake_error(exc, key) from exc
        return content

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        try:
            self._client.head_object(Bucket=self._bucket, Key=self._full(key))
        except (ClientError, BotoCoreError) as exc:
            if _code(exc) in NOT_FOUND_CODES:
                return False
            raise _as_lake_error(exc, key) from exc
        return True

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        root = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=root + prefix):
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(root)
                    yield ObjectInfo(key, found["Size"], found["LastModified"])
        except (ClientError, BotoCoreError) as exc:
            raise _as_lake_error(exc, prefix) from exc

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._full(key))
        except (ClientError, BotoCoreError) as exc:
            raise _as_lake_error(exc, key) from exc

    def upload(self, path: Path, key: str) -> None:
        """See `ObjectStore.upload`."""
        transfer = TransferConfig(
            multipart_threshold=MULTIPART_BYTES, multipart_chunksize=MULTIPART_BYTES
        )
        try:
            self._client.upload_file(str(path), self._bucket, self._full(key), Config=transfer)
        except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as exc:
            msg = f"cannot upload {path} to {self.uri}/{key}: {exc}"
            raise LakeError(msg) from exc

    def download(self, key: str, path: Path) -> None:
        """See `ObjectStore.download`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download_file(self._bucket, self._full(key), str(path))
        except (ClientError, BotoCoreError) as exc:
            raise _as_lake_error(exc, key) from exc

    @property
    def _client(self) -> Any:
        if self._made is None:
            session = boto3.session.Session()  # the default session is not thread-safe
            self._made = session.client("s3", **self._storage.boto())
        return self._made

    def _full(self, key: str) -> str:
        return f"{self._prefix}/{_checked(key)}" if self._prefix else _checked(key)


def _code(exc: ClientError | BotoCoreError) -> str:
    return str(exc.response.get("Error", {}).get("Code", "")) if hasattr(exc, "response") else ""


def _as_lake_error(exc: ClientError | BotoCoreError, key: str) -> Exception:
    if _code(exc) in NOT_FOUND_CODES:
        return FileNotFoundError(key)
    return LakeError(f"the object store refused {key!r}: {exc}; check address and credentials")
