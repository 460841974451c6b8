"""What a benchmark's pictures look like from other sides: view hashes, and small copies to look at.

A crop or mirror picture is found by hashes of views and believed only after one picture was laid
over the other, which takes pixels.  So a prepared benchmark keeps a small copy of each of its
pictures, in objects of `SHARD` pictures that are read only where hashes give a reason to.
"""

import io
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from infra.images.decode import decode
from infra.images.pixels import encode_jpeg, thumbnail
from tasks.image_keys.hashes import MIN_VIEW_ONES
from tasks.image_keys.kind import tones
from tasks.image_keys.views import VIEWS, view_hashes

if TYPE_CHECKING:
    from infra.lake.objects import ObjectStore

RGB = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

COPY_SIDE: Final = 640
"""Longest side of a small copy: features are taken at 512, and print of a page is still strokes."""
COPY_QUALITY: Final = 75
SHARD: Final = 256
_SHARDS_HELD: Final = 4

LOOKS: Final = pa.schema(
    [
        pa.field("pixel_sha", pa.string(), nullable=False),
        pa.field("views", pa.list_(pa.int64(), len(VIEWS)), nullable=False),
        pa.field("is_photo", pa.bool_(), nullable=False),
    ]
)
"""One row per distinct picture, in the order of the shards that hold the copies."""
COPIES: Final = pa.schema([pa.field("copy", pa.binary(), nullable=False)])


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture: int64 hashes of `VIEWS`, whether it is certainly a photo, and a small JPEG."""

    views: npt.NDArray[np.int64]
    is_photo: bool
    copy: bytes = field(repr=False)

    @classmethod
    def of(cls, rgb: RGB) -> "Look":
        """Return what is kept of upright pixels."""
        copy = encode_jpeg(thumbnail(rgb, COPY_SIDE), COPY_QUALITY)
        return cls(view_hashes(rgb), tones(rgb).is_photo, copy)


class GalleryWriter:
    """Keeps each distinct picture of a benchmark once; its table is written last."""

    def __init__(self, objects: "ObjectStore", key: str) -> None:
        """Take the object that the table becomes; copies lie in a folder of the same name."""
        self._objects, self._key = objects, key
        self._rows: list[dict[str, Any]] = []
        self._known: set[str] = set()
        self._pending: list[dict[str, bytes]] = []

    def add(self, pixel_sha: str, look: Look) -> None:
        """Keep a picture, unless one with the same pixels is kept."""
        if pixel_sha in self._known:
            return
        self._known.add(pixel_sha)
        views, is_photo = look.views.tolist(), look.is_photo
        self._rows.append({"pixel_sha": pixel_sha, "views": views, "is_photo": is_photo})
        self._pending.append({"copy": look.copy})
        if len(self._pending) == SHARD:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and the table that says all is there."""
        self._flush()
        table = pa.Table.from_pylist(self._rows, schema=LOOKS)
        self._objects.put(self._key, _parquet(table))

    def _flush(self) -> None:
        if self._pending:
            shard = (len(self._rows) - 1) // SHARD
            copies = pa.Table.from_pylist(self._pending, schema=COPIES)
            self._objects.put(shard_key(self._key, shard), _parquet(copies))
            self._pending = []


class Gallery:
    """The distinct pictures of a benchmark; safe to use from many threads.

    Attributes:
        pixels: (m,) pixel shas.
        views: (m, views) uint64.
        is_photo: (m,) whether each is certainly a photo.
        has_structure: (m,) whether its hash tells it from others.
    """

    def __init__(self, objects: "ObjectStore", key: str) -> None:
        """Read the table; copies are read when they are asked for.

        Raises:
            FileNotFoundError: no gallery was written there.
        """
        table = pq.read_table(io.BytesIO(objects.get(key))).cast(LOOKS)
        flat = table["views"].combine_chunks().flatten().to_numpy()
        self._objects, self._key, self._lock = objects, key, Lock()
        self._shards: OrderedDict[int, list[bytes]] = OrderedDict()
        self.pixels: list[str] = table["pixel_sha"].to_pylist()
        self.views: Words = flat.view(np.uint64).reshape(-1, len(VIEWS))
        self.is_photo: Flags = table["is_photo"].to_numpy().astype(np.bool_)
        self.has_structure: Flags = np.bitwise_count(self.views[:, 0]) >= MIN_VIEW_ONES

    def rgb(self, picture: int) -> RGB:
        """Return the small copy of a picture."""
        return decode(self._shard(picture // SHARD)[picture % SHARD]).rgb

    def _shard(self, shard: int) -> list[bytes]:
        with self._lock:
            if shard not in self._shards:
                data = self._objects.get(shard_key(self._key, shard))
                copies = pq.read_table(io.BytesIO(data))["copy"].to_pylist()
                self._shards[shard] = copies
            self._shards.move_to_end(shard)
            while len(self._shards) > _SHARDS_HELD:
                self._shards.popitem(last=False)
            return self._shards.get(shard, [])


def shard_key(key: str, shard: int) -> str:
    """Return the object that holds the copies of a shard."""
    return f"{key.removesuffix('.parquet')}/{shard:05d}.parquet"


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="snappy")
    return out.getvalue()
