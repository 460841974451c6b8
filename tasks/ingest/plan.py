"""Which parts to ingest: only rows the lake does not know, the rows of one image together.

The whole listing is cut into chunks first and known rows are taken out afterwards, so the parts
that a killed build left undone come back under the same names, in whatever order the others were
finished.  Chunks that the lake knows in part give up their new rows to shared parts, so appended
rows do not make a crowd of tiny parts.

`Known` must count rows and images of finished parts only (those whose `samples` are committed):
a part left half-done is planned again, and writes its images again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from re import sub
from typing import Final

from sightline.errors import Failure
from sightline.ids import content_id
from tasks.ingest.source import Problem, SourceRow

PART_HEX_CHARS: Final = 8
MAX_SLUG_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class Known:
    """What finished parts of the lake hold already.

    Attributes:
        row_keys: `samples.row_key`.
        failed_keys: `failures.item_id` of the step ingest.
        image_ids: `images.image_id`.
        sample_ids: `samples.sample_id`.
    """

    row_keys: frozenset[str] = frozenset()
    failed_keys: frozenset[str] = frozenset()
    image_ids: frozenset[str] = frozenset()
    sample_ids: frozenset[str] = frozenset()

    def has_row(self, row: SourceRow) -> bool:
        """Return whether `row` became a sample or a failure before."""
        return row.row_key in self.row_keys or row.row_key in self.failed_keys


@dataclass(frozen=True, slots=True)
class PartPlan:
    """One part to ingest.

    Attributes:
        part: `<slug>-<8 hex of the row keys>`.
        rows: its rows, those of one image next to each other.
        owned_images: content keys of the images that this part stores.
        shared_images: those of them that rows of other parts need too.
    """

    part: str
    rows: tuple[SourceRow, ...]
    owned_images: frozenset[str]
    shared_images: frozenset[str]


def plan_parts(
    rows: Iterable[SourceRow], known: Known, *, name: str, part_rows: int
) -> list[PartPlan]:
    """Return the parts that hold the new rows of a source.

    Args:
        rows: the whole listing of the source, in its order.
        known: what the lake holds.
        name: name of the dataset.
        part_rows: most rows in a part, unless one image has more.
    """
    listed = list(mark_repeats(rows))
    chunks = _new_chunks(_chunks(_groups(listed), part_rows), known, part_rows)
    needed = Counter(key for chunk in chunks for key in _image_keys(chunk))
    stored = {key for row in listed if row.row_key in known.row_keys for key in _image_keys([row])}
    stored |= known.image_ids
    plans: list[PartPlan] = []
    for chunk in chunks:
        owned = _image_keys(chunk) - stored
        stored |= owned
        shared = frozenset(key for key in owned if needed[key] > 1)
        plans.append(PartPlan(part_name(name, chunk), tuple(chunk), frozenset(owned), shared))
    return plans


def mark_repeats(rows: Iterable[SourceRow]) -> Iterator[SourceRow]:
    """Yield `rows`; a row that stands there again comes as a problem with a key of its own."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.row_key] += 1
        times = seen[row.row_key]
        if times == 1:
            yield row
            continue
        detail = f"expected each row once, found {row.source_key!r} for the {times}. time"
        problem = Problem(Failure.ROW_DUPLICATED, detail)
        key = content_id("row", row.row_key, "repeat", str(times))
        yield replace(row, row_key=key, images=(), problem=problem)


def part_name(name: str, rows: Sequence[SourceRow]) -> str:
    """Return the name of the part that holds `rows` of the dataset `name`."""
    slug = sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:MAX_SLUG_CHARS] or "dataset"
    digest = sha256("\n".join(row.row_key for row in rows).encode()).hexdigest()
    return f"{slug}-{digest[:PART_HEX_CHARS]}"


def _groups(rows: Iterable[SourceRow]) -> list[list[SourceRow]]:
    """Return rows by image, groups in the order of their first row."""
    groups: dict[str, list[SourceRow]] = {}
    for row in rows:
        groups.setdefault(row.group_key, []).append(row)
    return list(groups.values())


def _chunks(groups: Iterable[list[SourceRow]], part_rows: int) -> list[list[SourceRow]]:
    chunks: list[list[SourceRow]] = []
    for group in groups:
        if chunks and len(chunks[-1]) + len(group) <= part_rows:
            chunks[-1].extend(group)
        else:
            chunks.append(list(group))
    return chunks


def _new_chunks(
    chunks: Iterable[list[SourceRow]], known: Known, part_rows: int
) -> list[list[SourceRow]]:
    """Return chunks of new rows: untouched chunks as they are, rests of the others joined."""
    fresh: list[list[SourceRow]] = []
    rests: list[SourceRow] = []
    for chunk in chunks:
        new = [row for row in chunk if not known.has_row(row)]
        if len(new) == len(chunk):
            fresh.append(chunk)
        else:
            rests.extend(new)
    return _chunks(_groups(rests), part_rows) + fresh


def _image_keys(rows: Iterable[SourceRow]) -> set[str]:
    """Return content keys of the images that `rows` need, without those that are not there."""
    return {
        ref.content_key
        for row in rows
        if row.problem is None
        for ref in row.images
        if ref.problem is None
    }
