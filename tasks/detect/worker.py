"""The worker that finds what is named in stored images.

One network serves many batches; the stages are those of every image worker.  A picture that cannot
be decoded is a failure of its own row; a picture in which nothing is found gives no row and is no
failure.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from infra.checkpoints import resolve
from infra.pool.workers import WorkerOutput
from sightline.schemas import DETECTIONS
from tasks.detect.boxes import BoxRule, Candidates, detections_of
from tasks.detect.families import Family, family_of
from tasks.detect.grounding_dino.model import GroundingDinoNetwork
from tasks.detect.owlv2.model import Owlv2Network
from tasks.detect.params import DetectParams
from tasks.detect.queries import checked_queries
from tasks.vision.device import Device
from tasks.vision.pictures import Picture
from tasks.vision.published import config_of
from tasks.vision.stages import Network, Stages

PUBLISHED_SCORES: Final = {Family.GROUNDING_DINO: 0.25, Family.OWLV2: 0.1}
"""Defaults of `post_process_grounded_object_detection` of transformers for either network."""


class DetectWorker:
    """Callable on tables with `image_id` and `bytes`; gives `detections` rows.

    Attributes:
        stages: those of every image worker.
        stages: of its network; several workers may share a decode through them.
        is_concurrent: whether two batches at once are faster than one after the other.
    """

    def __init__(
        self,
        weights: str,
        queries: Sequence[str],
        *,
        device: str = "auto",
        threads: int = 0,
        is_compiled: bool = False,
        **keys: Any,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves; they decide the family.
            queries: what to look for.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.
            is_compiled: pass the network through `torch.compile`.
            keys: the other fields of `DetectParams`.

        Raises:
            CheckpointError: the weights are missing, incomplete or of no known family.
            RecipeError: a query is empty, too long, or no phrase.
        """
        params = DetectParams(weights, checked_queries(queries), **keys)
        self._checkpoint = resolve(weights)
        family = family_of(config_of(self._checkpoint.folder), weights)
        if params.min_score is None:
            params = replace(params, min_score=PUBLISHED_SCORES[family])
        place = Device(device, params.precision, threads=threads, is_compiled=is_compiled)
        self._queries = params.queries
        self._rule = BoxRule(params.min_score or 0.0, params.max_overlap, params.max_boxes)
        self._network = network_of(family, self._checkpoint.folder, place, params)
        self.stages = Stages(self._network, self._rows, DETECTIONS)
        self.is_concurrent = self.stages.is_concurrent

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return the detections of every readable picture, in the batch's order."""
        return self.stages(batch)

    def _rows(self, picture: Picture, said: Candidates) -> list[dict[str, Any]]:
        found = detections_of(said, self._queries, self._rule)
        return [
            {
                "image_id": picture.image_id,
                "detection_id": number,
                "model": self._checkpoint.name,
                "query": detection.query,
                "label": detection.label,
                "score": detection.score,
                "box": list(detection.box),
                "weights_sha": self._checkpoint.weights_sha,
                "licence": self._checkpoint.licence,
            }
            for number, detection in enumerate(found, start=1)
        ]


def network_of(family: Family, folder: Path, device: Device, params: DetectParams) -> Network:
    """Return the network in `folder`, told what to look for.

    Raises:
        CheckpointError: it is not whole.
        RecipeError: a query is too long for it.
    """
    if family is Family.OWLV2:
        return Owlv2Network(folder, device, params.queries)
    return GroundingDinoNetwork(folder, device, params)
