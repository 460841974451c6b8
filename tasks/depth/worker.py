"""The worker that turns stored images into depth maps.

One network serves many batches.  Pictures are batched by exact input shape, since padding would
change the numbers; rows come out in the order they came in, and a picture that cannot be decoded
or gives no finite map is a failure of its own row only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.decode import ImageProblem, decode
from infra.images.depth_codec import encode_depth
from infra.images.pixels import resize_bicubic
from infra.pool.workers import RowFailure, WorkerOutput
from sightline.errors import Failure
from sightline.schemas import DEPTH_MAPS
from tasks.depth.model import DepthModel, use_threads
from tasks.depth.preprocess import PATCH, Preprocessing, default_max_tokens

RGB = npt.NDArray[np.uint8]

BATCH_TOKENS: Final = 16_384
"""Patches in one forward pass: 12 pictures of 518 x 518, about 2 GB for the large network [I]."""


@dataclass(frozen=True, slots=True)
class _Picture:
    image_id: str
    rgb: RGB


class DepthWorker:
    """Callable on tables with `image_id` and `bytes`; gives `depth_maps` rows."""

    def __init__(
        self,
        weights: str,
        input_px: int,
        max_tokens: int = 0,
        precision: str = "auto",
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves.
            input_px: least short side of the network's input, a multiple of 14.
            max_tokens: most patches of one picture; 0 for four squares of `input_px`.
            precision: auto, fp32 or bf16.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
        """
        use_threads(threads)
        self._checkpoint = resolve(weights)
        self._model = DepthModel(self._checkpoint.folder, device=device, precision=precision)
        limit = max_tokens or default_max_tokens(input_px)
        self._preprocessing = Preprocessing(input_px, limit, self._model.precision)

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a map per readable picture, in the batch's order."""
        outcomes: dict[str, dict[str, Any] | RowFailure] = {}
        pictures: list[_Picture] = []
        for image_id, data in _rows(batch):
            try:
                pictures.append(_Picture(image_id, self._resized(decode(data).rgb)))
            except ImageProblem as problem:
                outcomes[image_id] = RowFailure(image_id, problem.code, problem.detail)
        for group in by_shape(pictures):
            maps = self._model.infer([picture.rgb for picture in group])
            for picture, values in zip(group, maps, strict=True):
                outcomes[picture.image_id] = self._row(picture.image_id, values)
        ordered = [outcomes[image_id] for image_id, _ in _rows(batch)]
        rows = [row for row in ordered if not isinstance(row, RowFailure)]
        failures = tuple(row for row in ordered if isinstance(row, RowFailure))
        return WorkerOutput(DEPTH_MAPS.rows(rows), failures)

    def _resized(self, rgb: RGB) -> RGB:
        width, height = self._preprocessing.size(rgb.shape[1], rgb.shape[0])
        return resize_bicubic(rgb, width, height)

    def _row(self, image_id: str, values: npt.NDArray[np.float32]) -> dict[str, Any] | RowFailure:
        try:
            stored = encode_depth(values, self._model.direction)
        except ValueError as exc:
            return RowFailure(image_id, Failure.WORKER_ERROR, str(exc))
        return {
            "image_id": image_id,
            "model": self._checkpoint.name,
            "depth": stored.png,
            "width": stored.width,
            "height": stored.height,
            "lo": stored.lo,
            "hi": stored.hi,
            "p2": stored.p2,
            "p98": stored.p98,
            "kind": self._model.kind,
            "direction": self._model.direction.value,
            "status": "flat" if stored.is_flat else "ok",
            "preproc_id": self._preprocessing.preproc_id,
            "weights_sha": self._checkpoint.weights_sha,
            "licence": self._checkpoint.licence,
        }


def by_shape(pictures: Sequence[_Picture]) -> Iterator[list[_Picture]]:
    """Yield groups of equal shape, each at most `BATCH_TOKENS` patches (or one picture)."""
    shapes: dict[tuple[int, ...], list[_Picture]] = {}
    for picture in pictures:
        shapes.setdefault(picture.rgb.shape, []).append(picture)
    for (height, width, _), members in shapes.items():
        size = max(1, BATCH_TOKENS * PATCH * PATCH // (height * width))
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _rows(batch: pa.Table) -> Iterator[tuple[str, bytes]]:
    return zip(batch["image_id"].to_pylist(), batch["bytes"].to_pylist(), strict=True)
