"""From what a row states and what its images are to a row of `samples`, or a refusal.

The declared size must be the size of the upright image.  One exception is decided here: sides
swapped by EXIF rotation are accepted and the boxes turned with the photo (see `box_frames`).
The sample id is made from boxes as stated, in pixels, so clipping never changes an identity.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sightline.boxes import Box
from sightline.errors import Failure
from sightline.ids import missing_image_ref, sample_id
from tasks.ingest.box_frames import (
    ClippedBoxes,
    Size,
    boxes_px,
    clip_all,
    require_agreement,
    upright_boxes,
)
from tasks.ingest.folder import printable
from tasks.ingest.image_facts import ImageFacts
from tasks.ingest.source import Convention, LoadedRow, RowRefusedError, Statement

NUMBER: Final = re.compile(r"[-+]?(0|[1-9]\d*|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?%?", re.ASCII)
"""No leading zeros: 02134 and 007 are names, to be compared as text."""


@dataclass(frozen=True, slots=True)
class PlacedBoxes:
    """Boxes of a row on one picture.

    Attributes:
        size: (width, height) of the picture, px.
        stated: as the source states them, px, perhaps reaching out of the picture.
        clipped: the same, clipped to it.
    """

    size: Size
    stated: tuple[Box, ...]
    clipped: ClippedBoxes


def sample_row(
    loaded: LoadedRow, images: Sequence[ImageFacts], boxes: PlacedBoxes
) -> dict[str, Any]:
    """Return the row of `samples`.

    Args:
        loaded: the row.
        images: facts of its images, in order.
        boxes: those that belong on the first of them.
    """
    stated = loaded.statement
    size = images[0].size if images else boxes.size
    as_stated, clipped = boxes.stated, boxes.clipped
    ids = [facts.image_id for facts in images]
    choices = list(stated.choices) if stated.choices else None
    return {
        "sample_id": sample_id(
            stated.dataset,
            stated.question,
            stated.answer,
            ids or [missing_image_ref(stated.absent_image or "", *size)],
            choices=choices,
            boxes=as_stated or None,
        ),
        "row_key": loaded.row.row_key,
        "dataset": stated.dataset,
        "source_key": None if stated.source_key is None else printable(stated.source_key),
        "domain": stated.domain,
        "question": stated.question,
        "choices": choices,
        "answer": stated.answer,
        "answer_kind": stated.answer_kind or answer_kind(stated),
        "image_ids": ids,
        "image_width": size[0],
        "image_height": size[1],
        "boxes": [list(box) for box in clipped.boxes] or None,
        "box_convention": _convention(stated),
        "n_boxes_clipped": clipped.n_clipped,
        "licence": stated.licence,
        "split": stated.split,
    }


def placed_boxes(stated: Statement, images: Sequence[ImageFacts]) -> PlacedBoxes:
    """Return the boxes of a row in pixels of the upright picture that its source gave.

    Raises:
        RowRefusedError: sizes or boxes do not fit.
    """
    size = _size(stated, images)
    as_stated = _boxes(stated, size, images)
    return PlacedBoxes(size, as_stated, clip_all(as_stated, size))


def answer_kind(stated: Statement) -> str | None:
    """Return how to compare answers, by their form; null without an answer."""
    if stated.answer is None:
        return None
    if stated.choices:
        return "choice"
    short = stated.answer.strip().rstrip(".").casefold()
    if short in {"yes", "no"}:
        return "yes_no"
    return "number" if NUMBER.fullmatch(stated.answer.strip()) else "text"


def _convention(stated: Statement) -> str | None:
    return stated.convention.value if stated.boxes and stated.convention else None


def _size(stated: Statement, images: Sequence[ImageFacts]) -> Size:
    """Return the size of the upright first image."""
    declared = stated.declared_size
    if not images:
        if declared is None:
            detail = "expected an image, or its declared width and height, found neither"
            raise RowRefusedError(Failure.ROW_MALFORMED, detail)
        return declared
    first = images[0]
    if declared in {None, first.given_size, first.unturned_size}:
        return first.given_size
    detail = f"expected the declared {declared}, found {first.given_size}"
    raise RowRefusedError(Failure.IMAGE_SIZE_MISMATCH, detail)


def _boxes(stated: Statement, size: Size, images: Sequence[ImageFacts]) -> tuple[Box, ...]:
    """Return boxes in pixels of the upright image, as stated, and checked against each other."""
    is_unturned = bool(images) and stated.declared_size not in {None, size}
    frame = images[0].unturned_size if is_unturned else size
    boxes = boxes_px(stated.boxes or (), stated.convention or Convention.PX, frame)
    if stated.square_boxes is not None:
        require_agreement(boxes, stated.square_boxes, frame)
    if is_unturned:
        return upright_boxes(boxes, images[0].given.orientation, frame)
    return boxes
