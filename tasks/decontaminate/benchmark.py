"""A benchmark ready to be compared with: texts, and of every picture its hashes.

It is prepared once and kept beside the lake's tables as one Arrow file, so that parts that come
later are compared without the files it was read from.  What decides a match is in `content_sha`,
which is the benchmark's identity; its name and version are what people call it.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.ids import canonical_json, content_id
from tasks.decontaminate.gallery import Look
from tasks.decontaminate.items import Item, Picture, PictureFacts
from tasks.ingest.source import Problem

HASH_WORDS: Final = 4
"""A 256-bit hash is (4,) uint64, big-endian words of its bytes."""
VERSION_HEX_CHARS: Final = 12
DECODE_THREADS: Final = 2
ITEMS_AHEAD: Final = 64
"""Items whose pictures are in memory at once."""

ITEMS: Final = pa.schema(
    [
        pa.field("name", pa.large_string(), nullable=False),
        pa.field("question", pa.large_string()),
        pa.field("choices", pa.large_list(pa.large_string()), nullable=False),
        pa.field("answers", pa.large_list(pa.large_string()), nullable=False),
        pa.field("texts", pa.large_list(pa.large_string()), nullable=False),
        pa.field("pixels", pa.large_list(pa.string()), nullable=False),
        pa.field("hashes", pa.large_list(pa.binary()), nullable=False),
        pa.field("unread", pa.large_list(pa.string()), nullable=False),
        pa.field("problems", pa.large_list(pa.string()), nullable=False),
    ]
)
"""One row per item; `pixels` and `hashes` are of its pictures that could be read, `unread` are the
names of those that are not there."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a benchmark is called, and what it is.

    Attributes:
        name: of the benchmark.
        version: as given, or the start of `content_sha`.
        content_sha: sha256 of every item's content, 64 hex characters.
        uri: where it was read, without credentials.
    """

    name: str
    version: str
    content_sha: str
    uri: str

    @property
    def benchmark_id(self) -> str:
        """Return the key of `benchmarks`."""
        return content_id("benchmark", self.name, self.version, self.content_sha)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A prepared benchmark.

    Attributes:
        items: `ITEMS`.
        picture_items: (m,) int64, the item of every picture.
        pixels: (m,) pixel shas, in the same order.
        hashes: (m, 4) uint64.
    """

    items: pa.Table
    picture_items: npt.NDArray[np.int64]
    pixels: list[str]
    hashes: npt.NDArray[np.uint64]

    @classmethod
    def of(cls, items: pa.Table) -> "Benchmark":
        """Return the benchmark of `ITEMS` rows."""
        listed = items["pixels"].to_pylist()
        numbers = [number for number, pixels in enumerate(listed) for _ in pixels]
        raw = [value for hashes in items["hashes"].to_pylist() for value in hashes]
        return cls(
            items,
            np.asarray(numbers, dtype=np.int64),
            [pixels for row in listed for pixels in row],
            hash_words(raw),
        )

    @property
    def n_texts(self) -> int:
        """Return how many texts there are: questions and others."""
        others = sum(map(len, self.items["texts"].to_pylist()))
        return int(len(self.items) - self.items["question"].null_count + others)

    def name_of(self, item: int) -> str:
        """Return the benchmark's own name for an item."""
        return str(self.items["name"][item].as_py())

    def question_of(self, item: int) -> str:
        """Return the question of an item; empty if it has none."""
        return self.items["question"][item].as_py() or ""

    def to_bytes(self) -> bytes:
        """Return the benchmark as one Parquet file; the same benchmark gives the same bytes."""
        out = io.BytesIO()
        pq.write_table(self.items, out, compression="snappy")
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Benchmark":
        """Return what `to_bytes` wrote."""
        return cls.of(pq.read_table(io.BytesIO(data)).cast(ITEMS))


def hash_words(raw: list[bytes]) -> npt.NDArray[np.uint64]:
    """Return 32-byte hashes as (n, 4) uint64."""
    flat = np.frombuffer(b"".join(raw), dtype=">u8").astype(np.uint64)
    return flat.reshape(-1, HASH_WORDS)


def content_sha(items: Iterable[Item]) -> str:
    """Return the identity of what was read; pictures count by their bytes, undecoded."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(canonical_json(item.content()).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()


class Source(Protocol):
    """Where a benchmark's items come from; may be read several times."""

    @property
    def uri(self) -> str:
        """Return where that is, without credentials."""

    def items(self) -> Iterator[Item]:
        """Yield every item in a stable order."""

    def facts(self, picture: Picture) -> PictureFacts | Problem:
        """Return what a picture is compared by, or why it cannot be; called from many threads."""

    def looks(self) -> Iterator[tuple[str, Look]]:
        """Yield pixel sha and look of the pictures whose facts come without one."""


class Keeper(Protocol):
    """Where what pictures look like is kept; see `tasks.decontaminate.gallery`."""

    def add(self, pixel_sha: str, look: Look) -> None:
        """Keep a picture, unless one with the same pixels is kept."""


def prepare(
    source: Source, keeper: Keeper | None = None
) -> tuple[Benchmark, list[tuple[str, Problem]]]:
    """Return the prepared benchmark, and (item, problem) of all that could not be read.

    Args:
        source: where it is read.
        keeper: gets what its pictures look like; null where crops and flips are not looked for.
    """
    rows: list[dict[str, Any]] = []
    problems: list[tuple[str, Problem]] = []
    items = source.items()
    with ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="benchmark") as executor:
        while batch := list(islice(items, ITEMS_AHEAD)):
            facts = executor.map(lambda item: [source.facts(p) for p in item.pictures], batch)
            for item, found in zip(batch, facts, strict=True):
                bad = [*item.problems, *(f for f in found if isinstance(f, Problem))]
                problems += [(item.name, problem) for problem in bad]
                good = [f for f in found if isinstance(f, PictureFacts)]
                rows.append(_row(item, good, bad))
                if keeper is not None:
                    _keep(keeper, ((f.pixel_sha, f.look) for f in good if f.look is not None))
    if keeper is not None:
        _keep(keeper, source.looks())
    return Benchmark.of(pa.Table.from_pylist(rows, schema=ITEMS)), problems


def _keep(keeper: Keeper, looks: Iterable[tuple[str, Look]]) -> None:
    for pixels, look in looks:
        keeper.add(pixels, look)


def _row(item: Item, pictures: list[PictureFacts], bad: list[Problem]) -> dict[str, Any]:
    return {
        "name": item.name,
        "question": item.question,
        "choices": list(item.choices),
        "answers": list(item.answers),
        "texts": list(item.texts),
        "pixels": [facts.pixel_sha for facts in pictures],
        "hashes": [facts.phash for facts in pictures],
        "unread": list(item.unread),
        "problems": sorted(f"{problem.code.value}: {problem.detail}" for problem in bad),
    }
