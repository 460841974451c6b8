"""What a depth audit computes, as jobs on parts: noise on stored maps, truth and labels on folders.

Parts of `depth_scores` are named by what they are about (`noise.<part of the maps>`,
`truth.<folder>.<weights>`, `human.<folder>.<weights>`), so audits of several weights stand side by
side, and the same audit again computes nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from infra.execution import Output, PartJob, Produced, committed_part, failed_rows
from infra.lake.lake import Lake
from infra.pool.workers import BatchResult, Pool, RowFailure, WorkerSpec
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import DEPTH_MAPS, DEPTH_SCORES, RUNS, SEGMENTS
from tasks.depth_audit.flips import FlipCounts
from tasks.depth_audit.folders import Folder, HumanLabel
from tasks.depth_audit.noise import disturbed
from tasks.depth_audit.params import NoiseParams, TruthParams
from tasks.depth_audit.pictures import label_scores, truth_scores
from tasks.depth_audit.scores import Audit, Score, Subject, score_rows
from tasks.depth_audit.truth_rows import TruthRow, TruthRowError
from tasks.ground.rules import GroundParams

NOISE: Final = Step(name="depth_noise", version=1)
TRUTH: Final = Step(name="depth_truth", version=1)
HUMAN: Final = Step(name="depth_human", version=1)

BATCH_ROWS: Final = 8
"""Pictures of a folder in memory at once."""
SHA_CHARS: Final = 12

Row = Mapping[str, Any]
T = TypeVar("T", bound=TruthRow | HumanLabel)


@dataclass(frozen=True, slots=True)
class Model:
    """A network as workers build it, and what its weights are."""

    spec: WorkerSpec
    weights_sha: str

    def identity(self) -> dict[str, Any]:
        """Return what decides its output."""
        return {**self.spec.options, "weights_sha": self.weights_sha}


@dataclass(frozen=True, slots=True)
class NoiseWork:
    """Noise on the maps of one part of the lake."""

    lake: Lake
    params: NoiseParams

    def part_of(self, source: str) -> str:
        """Return the part of `depth_scores` about a part of the maps."""
        return f"noise.{source}"

    def job(self, source: str) -> PartJob:
        """Return the job on a part of `depth_maps` and `segments`.

        Raises:
            LakeError: one of them is not committed.
        """
        maps = committed_part(self.lake, DEPTH_MAPS, source)
        segments = committed_part(self.lake, SEGMENTS, source)
        ground = asdict(ground_params(self.lake, source))
        return PartJob(
            step=NOISE,
            part=source,
            identity={"noise": asdict(self.params), "ground": ground},
            inputs=[maps.fingerprint, segments.fingerprint],
            outputs=[Output(DEPTH_SCORES, self.part_of(source))],
            rows_in=maps.rows,
        )

    def compute(self, source: str) -> Iterator[Produced]:
        """Yield the scores of a part; weights stand apart if it holds maps of several."""
        chosen = self._chosen(source)
        ground = ground_params(self.lake, source)
        of_images = pc.field("image_id").isin(pa.array(chosen, pa.string()))
        segments = _by_image(self.lake.read(SEGMENTS, parts=[source], where=of_images))
        counts: dict[Subject, FlipCounts] = {}
        sha = committed_part(self.lake, DEPTH_MAPS, source).fingerprint
        for row in self.lake.read(DEPTH_MAPS, parts=[source], where=of_images).to_pylist():
            subject = _subject(Audit.NOISE, (source, sha, source), row)
            found = disturbed(segments.get(row["image_id"], []), row, ground, self.params)
            total = counts.setdefault(subject, FlipCounts.none(self.params.levels))
            total += found
        for subject, total in counts.items():
            yield Produced(DEPTH_SCORES, score_rows(subject, total.scores()))

    def _chosen(self, source: str) -> list[str]:
        """Return the pictures of a part that are looked at, by the hash of their ids."""
        read = self.lake.read(DEPTH_MAPS, parts=[source], columns=["image_id"])
        ids = sorted(set(read["image_id"].to_pylist()), key=self._order)
        return ids[: self.params.pictures]

    def _order(self, image_id: str) -> bytes:
        return hashlib.sha256(f"{self.params.seed}:{image_id}".encode()).digest()


@dataclass(frozen=True, slots=True)
class FolderWork(Generic[T]):
    """Weights against a folder of true depth or of human labels.

    Attributes:
        step: `TRUTH` or `HUMAN`.
        folder: what it holds.
        sha: hash of its content.
        depth: the network whose maps are audited.
        segment: the network that finds objects; None to look at pixels alone.
        ground: the rule that decides relations.
        params: how many point pairs, and the seed.
        pool: where workers live.
    """

    step: Step
    folder: Folder[T]
    sha: str
    depth: Model
    segment: Model | None
    ground: GroundParams
    params: TruthParams
    pool: Pool

    @property
    def audit(self) -> Audit:
        """Return what the rows are called."""
        return Audit.TRUTH if self.step == TRUTH else Audit.HUMAN

    @property
    def part(self) -> str:
        """Return the part of `depth_scores`: the folder, its content, the weights, how they run."""
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", self.folder.name).strip("-")[:80] or "folder"
        maps = f"{self.depth.weights_sha[:SHA_CHARS]}-{fingerprint_of(self.depth.identity())}"
        return f"{self.audit}.{slug}-{self.sha[:SHA_CHARS]}.{maps}"

    def job(self) -> PartJob:
        """Return the job; it reads nothing of the lake."""
        return PartJob(
            step=self.step,
            part=self.part,
            identity={
                "benchmark_sha": self.sha,
                "depth": self.depth.identity(),
                "segment": self.segment.identity() if self.segment else None,
                "ground": asdict(self.ground),
                "params": asdict(self.params),
            },
            inputs=[],
            outputs=[Output(DEPTH_SCORES, self.part)],
            rows_in=len(self.folder.rows) + len(self.folder.failures),
        )

    def compute(self) -> Iterator[Produced]:
        """Yield the scores of each picture, then the rows that gave none."""
        rows, missing = _present(self.folder)
        failures = {(f.item_id, f.code): f for f in [*self.folder.failures, *missing]}
        chunks = [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]
        for chunk, (maps, masks) in zip(chunks, self._annotated(chunks), strict=True):
            problems = [*maps.failed, *(masks.failed if masks else ())]
            segments = _by_image(masks.table) if masks else {}
            found = {row["image_id"]: row for row in maps.table.to_pylist()}
            for row in chunk:
                if row.item_id not in found:
                    continue
                try:
                    yield self._scored(row, found[row.item_id], segments.get(row.item_id, []))
                except TruthRowError as exc:
                    problems.append(RowFailure(row.item_id, exc.code, str(exc)))
            failures |= {(f.item_id, f.code): f for f in problems}
        if failures:
            yield failed_rows(self.step, [(f.item_id, f.code, f.detail) for f in failures.values()])

    def _annotated(
        self, chunks: Sequence[Sequence[T]]
    ) -> Iterator[tuple[BatchResult, BatchResult | None]]:
        """Yield what both networks say of each chunk; None for segments if there is no network."""
        maps = self.pool.map(self.depth.spec, _batches(self.folder, chunks))
        if self.segment is None:
            yield from ((each, None) for each in maps)
        else:
            masks = self.pool.map(self.segment.spec, _batches(self.folder, chunks))
            yield from zip(maps, masks, strict=True)

    def _scored(self, row: T, depth_map: Row, segments: Sequence[Row]) -> Produced:
        subject = _subject(self.audit, (self.folder.name, self.sha, row.item_id), depth_map)
        return Produced(DEPTH_SCORES, score_rows(subject, self._scores(row, depth_map, segments)))

    def _scores(self, row: T, depth_map: Row, segments: Sequence[Row]) -> Iterable[Score]:
        if isinstance(row, TruthRow):
            data = self.folder.read(row.depth)
            return truth_scores(row, data, depth_map, segments, self.ground, self.params)
        return label_scores(row, self.folder.read(row.image), depth_map)


def truth_files(row: TruthRow) -> tuple[str, ...]:
    """Return the files that a row of true depth names."""
    return (row.image, row.depth)


def label_files(row: HumanLabel) -> tuple[str, ...]:
    """Return the files that a label names."""
    return (row.image,)


def ground_params(lake: Lake, part: str) -> GroundParams:
    """Return the numbers that decided the relations of a part; the defaults if none stand there."""
    rows = lake.read(RUNS, parts=[f"ground.{part}"], columns=["parameters_json"])
    known = {each.name for each in fields(GroundParams)}
    for text in rows["parameters_json"].to_pylist():
        with suppress(ValueError, AttributeError):
            return GroundParams(**{k: v for k, v in json.loads(text).items() if k in known})
    return GroundParams()


def _subject(audit: Audit, against: tuple[str, str, str], depth_map: Row) -> Subject:
    benchmark, sha, item = against
    model = {name: depth_map[name] for name in ("model", "weights_sha", "preproc_id")}
    return Subject(audit, benchmark, sha, item, **model)


def _present(folder: Folder[T]) -> tuple[list[T], list[RowFailure]]:
    """Return the rows whose files are there, and a failure for each other one."""
    rows: list[T] = []
    failures: list[RowFailure] = []
    for row in folder.rows:
        try:
            for name in _FILES[type(row)](row):
                folder.file(name)
        except TruthRowError as exc:
            failures.append(RowFailure(row.item_id, exc.code, str(exc)))
        else:
            rows.append(row)
    return rows, failures


_FILES: Final[Mapping[type, Callable[[Any], tuple[str, ...]]]] = {
    TruthRow: truth_files,
    HumanLabel: label_files,
}


def _batches(folder: Folder[T], chunks: Sequence[Sequence[T]]) -> Iterator[pa.Table]:
    for chunk in chunks:
        names = [row.item_id for row in chunk]
        yield pa.table(
            {
                "image_id": pa.array(names, pa.string()),
                "bytes": pa.array([folder.read(row.image) for row in chunk], pa.binary()),
            }
        )


def _by_image(table: pa.Table) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        grouped.setdefault(row["image_id"], []).append(row)
    return grouped
