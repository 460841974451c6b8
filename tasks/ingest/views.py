"""The samples of a row whose picture is stored whole, shrunk, or as tiles.

Boxes are checked against the picture the source gave and then moved to what is stored.  A question
with a known answer or with boxes is asked of the one tile that shows all its boxes: half the
evidence would make the answer wrong.  Anything else (a picture alone, a question for all pictures)
goes to every tile, each with the boxes it shows.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sightline.boxes import Box, area, clip, contains, intersection_area
from sightline.errors import Failure
from tasks.ingest.box_frames import ClippedBoxes
from tasks.ingest.image_facts import ImageFacts
from tasks.ingest.sample_rows import PlacedBoxes, placed_boxes, sample_row
from tasks.ingest.source import LoadedRow, RowRefusedError

MIN_SHOWN_SHARE: Final = 0.5
"""Least share of a box that a tile shows for the box to count there."""


def samples_of(loaded: LoadedRow, images: Sequence[tuple[ImageFacts, ...]]) -> list[dict[str, Any]]:
    """Return the rows of `samples` that one row of a source gives.

    Args:
        loaded: the row.
        images: what is stored for each of its images: one, or tiles.

    Raises:
        RowRefusedError: sizes or boxes do not fit, or no tile can be asked.
    """
    boxes = placed_boxes(loaded.statement, [views[0] for views in images])
    if all(len(views) == 1 for views in images):
        shown = [views[0] for views in images]
        return [sample_row(loaded, shown, _moved(boxes, shown[0]) if shown else boxes)]
    if len(images) > 1:
        detail = "expected one image in a row whose image is cut into tiles; use oversize: shrink"
        raise RowRefusedError(Failure.IMAGE_TOO_LARGE, detail)
    tiles = tuple(chain.from_iterable(images))
    return [sample_row(loaded, [tile], placed) for tile, placed in _asked(loaded, boxes, tiles)]


def _asked(
    loaded: LoadedRow, boxes: PlacedBoxes, tiles: Sequence[ImageFacts]
) -> Iterator[tuple[ImageFacts, PlacedBoxes]]:
    stated = loaded.statement
    if stated.answer is not None or (stated.question is not None and boxes.stated):
        tile = _tile_with(boxes.clipped.boxes, tiles)
        yield tile, _moved(boxes, tile)
        return
    for tile in tiles:
        yield tile, _moved(_shown(boxes, tile), tile)


def _tile_with(boxes: Sequence[Box], tiles: Sequence[ImageFacts]) -> ImageFacts:
    """Return the tile that shows all `boxes` with the widest margin, the first of several.

    Raises:
        RowRefusedError: there are no boxes, or no tile shows them all.
    """
    if not boxes:
        detail = "no box says which tile shows what the question is about; use oversize: shrink"
        raise RowRefusedError(Failure.IMAGE_TOO_LARGE, detail)
    able = [tile for tile in tiles if all(contains(_floats(tile), box, 0.0) for box in boxes)]
    if not able:
        detail = "no tile shows all boxes of the row; use larger tiles, or oversize: shrink"
        raise RowRefusedError(Failure.IMAGE_TOO_LARGE, detail)
    return max(able, key=lambda tile: min(_margin(_floats(tile), box) for box in boxes))


def _margin(outer: Box, inner: Box) -> float:
    before = min(inner[0] - outer[0], inner[1] - outer[1])
    return min(before, outer[2] - inner[2], outer[3] - inner[3])


def _shown(boxes: PlacedBoxes, tile: ImageFacts) -> PlacedBoxes:
    """Return the boxes of which `tile` shows enough."""
    region = _floats(tile)
    kept = [
        pair
        for pair in zip(boxes.stated, boxes.clipped.boxes, strict=True)
        if intersection_area(pair[1], region) >= MIN_SHOWN_SHARE * area(pair[1])
    ]
    stated, clipped = tuple(p[0] for p in kept), tuple(p[1] for p in kept)
    return PlacedBoxes(boxes.size, stated, ClippedBoxes(clipped, 0))


def _moved(boxes: PlacedBoxes, view: ImageFacts) -> PlacedBoxes:
    """Return boxes of the given picture as boxes of what is stored of it."""
    if view.region == (0, 0, *view.size):
        return boxes
    width, height = view.size
    stated = tuple(_on(view, box) for box in boxes.stated)
    inside = tuple(clip(_on(view, box), width, height) for box in boxes.clipped.boxes)
    n_clipped = sum(clip(box, width, height) != box for box in stated)
    return PlacedBoxes(view.size, stated, ClippedBoxes(inside, n_clipped))


def _on(view: ImageFacts, box: Box) -> Box:
    x0, y0, x1, y1 = view.region
    across, down = view.size[0] / (x1 - x0), view.size[1] / (y1 - y0)
    return (
        (box[0] - x0) * across, (box[1] - y0) * down, (box[2] - x0) * across, (box[3] - y0) * down
    )  # fmt: skip


def _floats(tile: ImageFacts) -> Box:
    x0, y0, x1, y1 = tile.region
    return (float(x0), float(y0), float(x1), float(y1))
