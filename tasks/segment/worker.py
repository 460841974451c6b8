"""The worker that turns stored images into segments.

One network serves many batches; the stages are those of every image worker.  A picture that cannot
be decoded is a failure of its own row; a picture in which nothing is found gives no row and is no
failure.
"""

from typing import Any

import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.masks import encode_mask
from infra.pool.workers import WorkerOutput
from sightline.schemas import SEGMENTS
from tasks.segment.masks import Segment
from tasks.segment.model import SegmentModel
from tasks.segment.preprocess import MaskRule
from tasks.vision.device import Device
from tasks.vision.pictures import Picture
from tasks.vision.stages import Stages


class SegmentWorker:
    """Callable on tables with `image_id` and `bytes`; gives `segments` rows.

    Attributes:
        is_concurrent: whether two batches at once are faster than one after the other.
    """

    def __init__(  # noqa: PLR0913 - the keys of the recipe, then where it runs
        self,
        weights: str,
        input_px: int,
        min_area_frac: float = 0.001,
        max_segments: int = 32,
        precision: str = "auto",
        *,
        device: str = "auto",
        threads: int = 0,
        is_compiled: bool = False,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves.
            input_px: short side of the network's input and of the mask grid.
            min_area_frac: least area of a segment, as a share of the grid.
            max_segments: most segments of one picture; the largest are kept.
            precision: auto, fp32 or bf16.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.
            is_compiled: pass the network through `torch.compile`.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
            ValueError: a parameter that fits no picture.
        """
        rule = MaskRule(input_px, min_area_frac, max_segments)
        self._checkpoint = resolve(weights)
        place = Device(device, precision, threads=threads, is_compiled=is_compiled)
        self._model = SegmentModel(self._checkpoint.folder, place, rule)
        self._stages = Stages(self._model, self._rows, SEGMENTS)
        self.is_concurrent = self._stages.is_concurrent

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return the segments of every readable picture, in the batch's order."""
        return self._stages(batch)

    def _rows(self, picture: Picture, said: Any) -> list[dict[str, Any]]:
        found = self._model.segments(picture, said)
        return [
            self._row(picture.image_id, number, segment)
            for number, segment in enumerate(found, start=1)
        ]

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
