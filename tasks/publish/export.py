"""Accepted traces as files for training: JSON lines or Parquet, images, a card and a manifest.

A folder appears whole or not at all: everything is written beside it and renamed.  Bytes depend
only on the lake (rows sorted by id, no times), so two exports of one lake are equal.  An existing
folder is replaced only if it holds an earlier export; anything else in the way is the user's.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sightline.errors import LakeError, UsageError
from tasks.publish.card import CardFacts, Licences, card_text, licences_of
from tasks.publish.choice import Query
from tasks.publish.traces import Trace, llava_row, trace_of, visreason_row

ReadImages = Callable[[Sequence[str]], Iterable[pa.Table]]
"""Gives tables with `image_id`, `format` and `bytes` of the ids asked for, in any order."""

MANIFEST: Final = "manifest.json"
CARD: Final = "README.md"
IMAGES: Final = "images"
IMAGES_AT_ONCE: Final = 256
"""Images asked for in one go, which bounds memory."""

ALL_TRACES: Final = """
select
    chain_id, sample_id, dataset, domain, split, question, choices, reference_answer, answer,
    image_id, image_width, image_height, boxes_px, rounds, final_view_image_id, final_view_box,
    final_description, final_reasoning, teacher, licence, image_licence
from accepted_traces
order by chain_id
"""


IMAGES_BY_ID: Final = "select image_id, format, bytes from images where list_contains(?, image_id)"


class ExportFormat(StrEnum):
    """Forms of an export."""

    VISREASON = "visreason"
    LLAVA = "llava"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file, relative to the export's folder."""

    path: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What an export holds.

    Attributes:
        format: how rows are written.
        rows: accepted traces written.
        n_images: image files written.
        files: all files but the manifest itself, sorted by path.
        teachers: who wrote the reasoning.
        licences: licences as stated, and what they allow together.
    """

    format: str
    rows: int
    n_images: int
    files: tuple[ExportedFile, ...]
    teachers: tuple[str, ...]
    licences: Licences

    def to_json(self) -> str:
        """Return the text of `manifest.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def export(
    form: ExportFormat | str,
    query: Query,
    read_images: ReadImages,
    out_dir: Path,
    *,
    embedded_teachers: frozenset[str] = frozenset(),
) -> ExportManifest:
    """Write the accepted traces to `out_dir` and return what was written.

    Args:
        form: of the rows.
        query: runs one SELECT with bound values.
        read_images: gives the images by id.
        out_dir: created, or replaced if it holds an earlier export.
        embedded_teachers: model names that are templates; the card says so.

    Raises:
        UsageError: the form is unknown, or `out_dir` holds something else.
        LakeError: an image that a trace names cannot be read.
    """
    wanted = _known(form)
    _refuse_foreign(out_dir)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        manifest = _write(wanted, query, read_images, building, embedded_teachers)
        building.chmod(0o755)
        _swap(building, out_dir)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def images_by(query: Query) -> ReadImages:
    """Return a reader of images that asks the lake through `query`."""

    def read(image_ids: Sequence[str]) -> Iterator[pa.Table]:
        yield query(IMAGES_BY_ID, [list(image_ids)])

    return read


def _known(form: str) -> ExportFormat:
    if form not in set(ExportFormat):
        msg = f"no export format is called {form!r}; there are {', '.join(ExportFormat)}"
        raise UsageError(msg)
    return ExportFormat(form)


def _refuse_foreign(out_dir: Path) -> None:
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        msg = f"expected a folder to export to, found a file at {str(out_dir)!r}"
        raise UsageError(msg)
    if any(out_dir.iterdir()) and not (out_dir / MANIFEST).is_file():
        msg = (
            f"expected an empty folder or an earlier export at {str(out_dir)!r}, found other "
            f"files and no {MANIFEST}; choose another folder"
        )
        raise UsageError(msg)


def _swap(building: Path, out_dir: Path) -> None:
    """Put `building` in the place of `out_dir`; a reader finds the old or the new one."""
    if not out_dir.exists():
        building.rename(out_dir)
        return
    retired = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-old-", dir=out_dir.parent))
    try:
        out_dir.rename(retired / "export")
        building.rename(out_dir)
    finally:
        shutil.rmtree(retired, ignore_errors=True)


def _write(
    form: ExportFormat,
    query: Query,
    read_images: ReadImages,
    folder: Path,
    embedded_teachers: frozenset[str],
) -> ExportManifest:
    table = query(ALL_TRACES, [])
    traces = [trace_of(row) for row in table.to_pylist()]
    names = _write_images({i for trace in traces for i in trace.image_ids}, read_images, folder)
    _write_rows(form, table, traces, names, folder)
    teachers = tuple(sorted({trace.teacher for trace in traces}))
    licences = licences_of(trace.licence for trace in traces)
    datasets = sorted({trace.dataset for trace in traces})
    facts = CardFacts(
        form, len(traces), len(names), datasets, teachers, embedded_teachers, licences
    )
    (folder / CARD).write_text(card_text(facts), encoding="utf-8")
    manifest = ExportManifest(
        form.value, len(traces), len(names), tuple(_files(folder)), teachers, licences
    )
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _write_images(
    image_ids: Iterable[str], read_images: ReadImages, folder: Path
) -> dict[str, str]:
    """Write the images and return their paths by id."""
    wanted = sorted(image_ids)
    (folder / IMAGES).mkdir()
    names: dict[str, str] = {}
    for start in range(0, len(wanted), IMAGES_AT_ONCE):
        for table in read_images(wanted[start : start + IMAGES_AT_ONCE]):
            for row in table.select(["image_id", "format", "bytes"]).to_pylist():
                names[row["image_id"]] = f"{IMAGES}/{row['image_id']}.{_extension(row['format'])}"
                (folder / names[row["image_id"]]).write_bytes(row["bytes"])
    missing = [image for image in wanted if image not in names]
    if missing:
        msg = f"{len(missing)} images of accepted traces are not stored, first {missing[0]!r}"
        raise LakeError(msg)
    return names


def _extension(form: str) -> str:
    return {"jpeg": "jpg", "mpo": "jpg", "tiff": "tif", "jpeg2000": "jp2"}.get(form, form)


def _write_rows(
    form: ExportFormat,
    table: pa.Table,
    traces: Sequence[Trace],
    names: Mapping[str, str],
    folder: Path,
) -> None:
    if form is ExportFormat.PARQUET:
        pq.write_table(table, folder / "traces.parquet", compression="snappy")
        return
    row_of = visreason_row if form is ExportFormat.VISREASON else llava_row
    with (folder / f"{form.value}.jsonl").open("w", encoding="utf-8", newline="\n") as out:
        for trace in traces:
            out.write(json.dumps(row_of(trace, names), ensure_ascii=False) + "\n")


def _files(folder: Path) -> Iterator[ExportedFile]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
        yield ExportedFile(path.relative_to(folder).as_posix(), digest, path.stat().st_size)
