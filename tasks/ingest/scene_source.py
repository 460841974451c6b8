"""The `scenes` source: rendered scenes with questions, and faults put in on purpose.

One source row is one scene; listing never renders, loading renders once for all its questions.
So that a demo has something to find, a stated share of the scenes comes a second time under
another name (same pixels, other bytes: a text chunk is added), and a stated share is broken: the
image cut short, the declared size wrong, or the first question's box outside the image or without
area, in turn.  Which scenes are hit follows from their number alone.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import floor
from typing import Final

from sightline.boxes import Box
from sightline.errors import UsageError
from sightline.ids import canonical_json, content_id
from tasks.ingest.scenes.asked import SceneQuestion
from tasks.ingest.scenes.questions import ask
from tasks.ingest.scenes.render import GENERATOR_VERSION, render, scene_png
from tasks.ingest.scenes.world import SceneParams, sample_scene
from tasks.ingest.source import (
    Cell,
    Convention,
    ImageRef,
    LoadedImage,
    LoadedRow,
    SourceRow,
    Statement,
    row_key,
)

FAULTS: Final = ("truncated", "box_outside", "declared_size", "box_degenerate")
KEPT_SHARE: Final = 0.6
"""How much of a truncated file is left."""
PNG_HEADER_BYTES: Final = 33
"""Signature and IHDR chunk; other chunks may follow."""


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """Options of a `scenes` source; those of `SceneParams`, and the faults.

    Attributes:
        copies: share of scenes given a second time, 0..1.
        broken: share of scenes with a fault, 0..1.
        licence: licence of the pictures.
        split: split of every sample.
    """

    n: int
    seed: int = 0
    width: int = 256
    height: int = 192
    min_objects: int = 2
    max_objects: int = 7
    min_visible_px: int = 100
    questions_per_scene: int = 4
    copies: float = 0.0
    broken: float = 0.0
    licence: str | None = "CC0-1.0"
    split: str | None = None

    def params(self) -> SceneParams:
        """Return what the generator needs.

        Raises:
            UsageError: no scene can satisfy the values.
        """
        for name, share in (("copies", self.copies), ("broken", self.broken)):
            if not 0 <= share <= 1:
                msg = f"{name} must be a share from 0 to 1, found {share!r}"
                raise UsageError(msg)
        names = set(SceneParams.__dataclass_fields__)
        try:
            return SceneParams(**{k: v for k, v in asdict(self).items() if k in names})
        except ValueError as exc:
            raise UsageError(str(exc)) from exc


class SceneSource:
    """Scenes in the order of their numbers, each followed by its copy if it has one."""

    def __init__(self, name: str, options: SceneOptions) -> None:
        self.name = name
        self._options = options
        self._params = options.params()
        shaping = asdict(replace(self._params, n=0, questions_per_scene=0))
        self._world = canonical_json([GENERATOR_VERSION, shaping])
        self._shaping = canonical_json(
            [name, self._params.questions_per_scene, options.licence, options.split]
        )

    def rows(self) -> Iterator[SourceRow]:
        """Yield one row per scene and copy."""
        for index in range(self._params.n):
            yield self._row(index, is_copy=False)
            if is_chosen(index, self._options.copies, 0.0):
                yield self._row(index, is_copy=True)

    def load(self, rows: Sequence[SourceRow]) -> Iterator[LoadedRow]:
        """Render each scene once and yield one row per question about it."""
        for row in rows:
            cell = row.images[0].cell
            if cell is not None:
                yield from self._loaded(row, cell.start, is_copy=bool(cell.at))

    def _row(self, index: int, *, is_copy: bool) -> SourceRow:
        name = f"scene-{index:06d}{'-copy' if is_copy else ''}"
        fault = self._fault(index, is_copy=is_copy)
        made_from = content_id("scene", self._world, str(index), str(is_copy), fault)
        ref = ImageRef(name, made_from=made_from, cell=Cell(0, index, int(is_copy), 0))
        return SourceRow(row_key(name, self._shaping, (ref,)), name, (ref,))

    def _fault(self, index: int, *, is_copy: bool) -> str | None:
        broken = self._options.broken
        if is_copy or not is_chosen(index, broken, 0.5):
            return None
        return FAULTS[floor(index * broken + 0.5) % len(FAULTS)]

    def _loaded(self, row: SourceRow, index: int, *, is_copy: bool) -> Iterator[LoadedRow]:
        params, fault = self._params, self._fault(index, is_copy=is_copy)
        scene = sample_scene(params.seed, index, params)
        rendered = render(scene, params.width, params.height)
        questions = ask(scene, rendered, params.seed, params.questions_per_scene)
        data = scene_png(rendered)
        if fault == "truncated":
            data = data[: int(len(data) * KEPT_SHARE)]
        images = (LoadedImage(row.images[0], with_note(data) if is_copy else data),)
        statements = [self._statement(row, question) for question in questions]
        for statement in broken_statements(statements or [self._statement(row, None)], fault):
            yield LoadedRow(row, statement, images)

    def _statement(self, row: SourceRow, question: SceneQuestion | None) -> Statement:
        size = (self._params.width, self._params.height)
        image_only = Statement(
            self.name,
            row.source_key,
            declared_size=size,
            licence=self._options.licence,
            split=self._options.split,
        )
        if question is None:
            return image_only
        return replace(
            image_only,
            domain=question.kind.value,
            question=question.question,
            choices=question.choices or None,
            answer=question.answer,
            answer_kind=question.answer_kind.value,
            boxes=tuple(_floats(box) for box in question.boxes) or None,
            convention=Convention.PX,
        )


def is_chosen(index: int, share: float, phase: float) -> bool:
    """Return whether number `index` is among an evenly spread `share`; appending changes none."""
    return floor((index + 1) * share + phase) > floor(index * share + phase)


def with_note(png: bytes) -> bytes:
    """Return the PNG with a text chunk: the same pixels in other bytes."""
    body = b"tEXt" + b"Comment\x00copy"
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:PNG_HEADER_BYTES] + chunk + png[PNG_HEADER_BYTES:]


def broken_statements(statements: list[Statement], fault: str | None) -> list[Statement]:
    """Return `statements` with the fault in them."""
    first, rest = statements[0], statements[1:]
    width, height = first.declared_size or (1, 1)
    match fault:
        case "declared_size":
            return [replace(s, declared_size=(width + 1, height)) for s in statements]
        case "box_outside":
            return [_with_box(first, (width + 1.0, 0.0, width + 9.0, 9.0)), *rest]
        case "box_degenerate":
            return [_with_box(first, (5.0, 5.0, 5.0, 9.0)), *rest]
    return statements


def _with_box(statement: Statement, box: Box) -> Statement:
    return replace(statement, boxes=(box,), convention=Convention.PX)


def _floats(box: tuple[int, int, int, int]) -> Box:
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
