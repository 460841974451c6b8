"""The worker that turns stored images into segments.

One network serves many batches; the stages are those of every image worker.  A picture that cannot
be decoded is a failure of its own row; a picture in which nothing is found gives no row and is no
failure.
"""

from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.masks import encode_mask
from infra.pool.workers import WorkerOutput
from sightline.schemas import SEGMENTS
from tasks.segment.families import Family, Prompts, Task, check_prompts, family_of
from tasks.segment.masks import Segment
from tasks.segment.model import SegmentModel
from tasks.segment.params import SegmentParams
from tasks.segment.preprocess import MaskRule
from tasks.segment.promptable.model import PromptableNetwork
from tasks.segment.prompting import GridRule, Prompt
from tasks.segment.universal.model import UniversalNetwork
from tasks.segment.universal.preprocess import QueryRule
from tasks.vision.device import Device
from tasks.vision.pictures import Picture
from tasks.vision.published import config_of
from tasks.vision.stages import Network, Stages


class Segmenter(Network, Protocol):
    """A network of any family."""

    def segments(self, picture: Picture, said: Any) -> list[Segment]:
        """Return the segments of one picture, largest first."""
        ...


class SegmentWorker:
    """Callable on tables with `image_id`, `bytes` and perhaps `prompts`; gives `segments` rows.

    Attributes:
        stages: those of every image worker.
        is_concurrent: whether two batches at once are faster than one after the other.
    """

    def __init__(
        self,
        weights: str,
        input_px: int,
        *,
        device: str = "auto",
        threads: int = 0,
        is_compiled: bool = False,
        **keys: Any,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves; they decide the family.
            input_px: short side of the mask grid.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.
            is_compiled: pass the network through `torch.compile`.
            keys: the other fields of `SegmentParams`.

        Raises:
            CheckpointError: the weights are missing, incomplete, of no known family, or cannot
                answer the prompts.
            ValueError: a parameter that fits no picture.
        """
        params = SegmentParams(weights, input_px, **keys)
        self._checkpoint = resolve(weights)
        place = Device(device, params.precision, threads=threads, is_compiled=is_compiled)
        self._model = network_of(params, self._checkpoint.folder, place)
        self.stages = Stages(self._model, self._rows, SEGMENTS)
        self.is_concurrent = self.stages.is_concurrent

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return the segments of every readable picture, in the batch's order."""
        return self.stages(batch)

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
        } | _asked(segment.prompt)


def network_of(params: SegmentParams, folder: Path, device: Device) -> Segmenter:
    """Return the network in `folder`, by its family.

    Raises:
        CheckpointError: it is of no known family, not whole, or cannot answer the prompts.
    """
    family = family_of(config_of(folder), params.weights)
    check_prompts(family, Prompts(params.prompts), params.weights)
    masks = MaskRule(params.input_px, params.min_area_frac, params.max_segments)
    if family is Family.UNIVERSAL:
        queries = QueryRule(Task(params.task), params.min_score, tuple(params.fuse))
        return UniversalNetwork(folder, device, queries, masks)
    if family is Family.PROMPTABLE:
        grid = GridRule(
            params.grid_points, params.min_iou, params.min_stability, params.max_overlap
        )
        return PromptableNetwork(folder, device, grid, masks)
    return SegmentModel(folder, device, masks)


def _asked(prompt: Prompt | None) -> dict[str, Any]:
    if prompt is None:
        return {}
    return {
        "prompt_kind": prompt.kind.value,
        "prompt_id": prompt.id,
        "prompt_box": list(prompt.box),
    }
