"""The worker that turns stored images into segments.

One network serves many batches.  A picture that cannot be decoded is a failure of its own row; a
picture in which nothing is found gives no row and is no failure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.decode import ImageProblem, decode
from infra.images.masks import encode_mask
from infra.images.pixels import resize_bicubic
from infra.pool.workers import RowFailure, WorkerOutput
from sightline.schemas import SEGMENTS
from tasks.segment.masks import Segment, segments_of
from tasks.segment.model import SegmentModel, use_threads
from tasks.segment.preprocess import MaskRule

RGB = npt.NDArray[np.uint8]

BATCH_PIXELS: Final = 8 * 512 * 512
"""Pixels in one forward pass, about 1.5 GB with the 150 labels of ADE20K at a quarter size [I]."""


@dataclass(frozen=True, slots=True)
class _Picture:
    image_id: str
    rgb: RGB


class SegmentWorker:
    """Callable on tables with `image_id` and `bytes`; gives `segments` rows."""

    def __init__(
        self,
        weights: str,
        input_px: int,
        min_area_frac: float = 0.001,
        max_segments: int = 32,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves.
            input_px: short side of the network's input and of the mask grid.
            min_area_frac: least area of a segment, as a share of the grid.
            max_segments: most segments of one picture; the largest are kept.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
        """
        use_threads(threads)
        self._rule = MaskRule(input_px, min_area_frac, max_segments)
        self._checkpoint = resolve(weights)
        self._model = SegmentModel(self._checkpoint.folder, device=device)

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return the segments of every readable picture, in the batch's order."""
        pictures: list[_Picture] = []
        failures: list[RowFailure] = []
        for image_id, data in _rows(batch):
            try:
                pictures.append(_Picture(image_id, self._resized(decode(data).rgb)))
            except ImageProblem as problem:
                failures.append(RowFailure(image_id, problem.code, problem.detail))
        found: dict[str, list[Segment]] = {}
        for group in by_shape(pictures):
            maps = self._model.infer([picture.rgb for picture in group])
            for picture, said in zip(group, maps, strict=True):
                found[picture.image_id] = segments_of(
                    said.labels, said.scores, self._model.names, self._rule
                )
        rows = [
            self._row(picture.image_id, number, segment)
            for picture in pictures
            for number, segment in enumerate(found[picture.image_id], start=1)
        ]
        return WorkerOutput(SEGMENTS.rows(rows), tuple(failures))

    def _resized(self, rgb: RGB) -> RGB:
        width, height = self._rule.size(rgb.shape[1], rgb.shape[0])
        return resize_bicubic(rgb, width, height)

    def _row(self, image_id: str, number: int, segment: Segment) -> dict[str, Any]:
        height, width = segment.mask.shape
        return {
            "image_id": image_id,
            "segment_id": number,
            "model": self._checkpoint.name,
            "category": segment.label,
            "score": segment.score,
            "box": list(segment.box),
            "area_px": segment.area_px,
            "mask_rle": encode_mask(segment.mask),
            "mask_width": width,
            "mask_height": height,
            "weights_sha": self._checkpoint.weights_sha,
            "licence": self._checkpoint.licence,
        }


def by_shape(pictures: Sequence[_Picture]) -> Iterator[list[_Picture]]:
    """Yield groups of equal shape, each at most `BATCH_PIXELS` (or one picture)."""
    shapes: dict[tuple[int, ...], list[_Picture]] = {}
    for picture in pictures:
        shapes.setdefault(picture.rgb.shape, []).append(picture)
    for (height, width, _), members in shapes.items():
        size = max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _rows(batch: pa.Table) -> Iterator[tuple[str, bytes]]:
    return zip(batch["image_id"].to_pylist(), batch["bytes"].to_pylist(), strict=True)
