"""The worker that turns stored images into depth maps.

One network serves many batches; the stages are those of every image worker.  A picture that cannot
be decoded, or gives no finite map, is a failure of its own row only.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.checkpoints import resolve
from infra.images.decode import ImageProblem
from infra.images.depth_codec import encode_depth
from infra.pool.workers import WorkerOutput
from sightline.errors import Failure
from sightline.schemas import DEPTH_MAPS
from tasks.depth.model import DepthModel
from tasks.depth.preprocess import default_max_tokens
from tasks.vision.device import Device
from tasks.vision.pictures import Picture, Resample
from tasks.vision.stages import Stages


class DepthWorker:
    """Callable on tables with `image_id` and `bytes`; gives `depth_maps` rows.

    Attributes:
        stages: those of every image worker.
        is_concurrent: whether two batches at once are faster than one after the other.
    """

    def __init__(  # noqa: PLR0913 - the keys of the recipe, then where it runs
        self,
        weights: str,
        input_px: int,
        max_tokens: int = 0,
        precision: str = "auto",
        resample: str = Resample.OFFICIAL,
        *,
        device: str = "auto",
        threads: int = 0,
        is_compiled: bool = False,
    ) -> None:
        """Load the network.

        Args:
            weights: any form `infra.checkpoints` resolves.
            input_px: least short side of the network's input, a multiple of 14.
            max_tokens: most patches of one picture; 0 for four squares of `input_px`.
            precision: auto, fp32 or bf16.
            resample: official or antialias.
            device: auto, cpu, cuda or cuda:N.
            threads: cores to compute on; 0 leaves torch's default.
            is_compiled: pass the network through `torch.compile`.

        Raises:
            CheckpointError: the weights are missing, incomplete or of another kind.
            ValueError: a parameter that fits no picture.
        """
        self._checkpoint = resolve(weights)
        place = Device(device, precision, threads=threads, is_compiled=is_compiled)
        limit = max_tokens or default_max_tokens(input_px)
        self._model = DepthModel(
            self._checkpoint.folder, place, input_px, limit, Resample(resample)
        )
        self.stages = Stages(self._model, self._rows, DEPTH_MAPS)
        self.is_concurrent = self.stages.is_concurrent

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return a map per readable picture, in the batch's order."""
        return self.stages(batch)

    def _rows(self, picture: Picture, values: npt.NDArray[np.float32]) -> list[dict[str, Any]]:
        try:
            stored = encode_depth(values, self._model.direction)
        except ValueError as exc:
            raise ImageProblem(Failure.WORKER_ERROR, str(exc)) from exc
        return [
            {
                "image_id": picture.image_id,
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
                "preproc_id": self._model.preprocessing.preproc_id,
                "weights_sha": self._checkpoint.weights_sha,
                "licence": self._checkpoint.licence,
            }
        ]
