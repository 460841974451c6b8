"""From the folders and weights that a user names to audits that can run.

Everything is read and resolved before anything is computed: a folder that holds nothing, or
weights that are not whole, end the audit before the first picture.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from flows.depth_wanted import NO_NETWORK, Wanted, open_folders
from infra.annotation import ImageStep
from infra.checkpoints import EMBEDDED, resolve
from infra.lake.lake import Lake
from infra.pool.workers import Pool, WorkerSpec
from sightline.schemas import RUNS
from tasks.depth.params import DepthParams
from tasks.depth.task import DEPTH
from tasks.depth_audit.folders import HumanLabel
from tasks.depth_audit.params import TruthParams
from tasks.depth_audit.truth_rows import TruthRow
from tasks.depth_audit.work import HUMAN, TRUTH, FolderWork, Model, label_files, truth_files
from tasks.ground.rules import GroundParams
from tasks.segment.params import SegmentParams
from tasks.segment.task import SEGMENT
from tasks.vision.pictures import Resample

EMBEDDED_DEPTH = "embedded:depth"
EMBEDDED_DEPTH_PX = 126
EMBEDDED_SEGMENT_PX = 192
"""Sizes that the embedded networks were trained at."""


@dataclass(frozen=True, slots=True)
class FolderAudits:
    """Audits of folders, each with one network."""

    truth: tuple[FolderWork[TruthRow], ...]
    human: tuple[FolderWork[HumanLabel], ...]

    @property
    def count(self) -> int:
        """Return how many there are."""
        return len(self.truth) + len(self.human)

    @property
    def parts(self) -> list[str]:
        """Return the parts of `depth_scores` that they write."""
        return [work.part for work in self.truth] + [work.part for work in self.human]


def folder_audits(wanted: Wanted, pool: Pool, lake: Lake, sources: Sequence[str]) -> FolderAudits:
    """Return the audits that a user asks for.

    Args:
        wanted: folders and weights.
        pool: where workers live.
        lake: whose network is meant if no weights are named.
        sources: its parts with depth maps.

    Raises:
        SourceError: a folder holds nothing of its kind.
        CheckpointError: weights are missing or incomplete.
    """
    truths, labels = open_folders(wanted)
    if not truths and not labels:
        return FolderAudits((), ())
    models = [_model(DEPTH, asdict(each)) for each in _networks(wanted, lake, sources)]
    segment = _segment(wanted) if truths else None
    ground, params = GroundParams(), TruthParams(seed=wanted.seed)
    return FolderAudits(
        tuple(
            FolderWork(TRUTH, folder, folder.sha(truth_files), model, segment, ground, params, pool)
            for folder in truths
            for model in models
        ),
        tuple(
            FolderWork(HUMAN, folder, folder.sha(label_files), model, None, ground, params, pool)
            for folder in labels
            for model in models
        ),
    )


def _networks(wanted: Wanted, lake: Lake, sources: Sequence[str]) -> list[DepthParams]:
    if not wanted.weights:
        found = _network_of(lake, sources) or _network(EMBEDDED_DEPTH)
        return [found if wanted.input_px is None else replace(found, input_px=wanted.input_px)]
    named = [_network(weights) for weights in wanted.weights]
    px = wanted.input_px
    return named if px is None else [replace(each, input_px=px) for each in named]


def _network_of(lake: Lake, sources: Sequence[str]) -> DepthParams | None:
    """Return the parameters that made the lake's maps; None where no run says them."""
    parts = [f"{DEPTH.step.name}.{source}" for source in sources[-1:]]
    known = {each.name for each in fields(DepthParams)}
    for text in lake.read(RUNS, parts=parts, columns=["parameters_json"]).column(0).to_pylist():
        given = {name: value for name, value in json.loads(text).items() if name in known}
        return DepthParams(**given)
    return None


def _network(weights: str) -> DepthParams:
    """Return usual parameters; those of the embedded network are the ones it was trained with."""
    if not weights.startswith(EMBEDDED):
        return DepthParams(weights=weights)
    return DepthParams(
        weights=weights,
        input_px=EMBEDDED_DEPTH_PX,
        precision="fp32",
        resample=Resample.ANTIALIAS,
    )


def _segment(wanted: Wanted) -> Model | None:
    if wanted.segment_weights == NO_NETWORK:
        return None
    is_embedded = wanted.segment_weights.startswith(EMBEDDED)
    usual = EMBEDDED_SEGMENT_PX if is_embedded else SegmentParams().input_px
    params = SegmentParams(weights=wanted.segment_weights, input_px=wanted.segment_px or usual)
    return _model(SEGMENT, asdict(params))


def _model(step: ImageStep, options: dict[str, object]) -> Model:
    sha = resolve(str(options["weights"])).weights_sha
    return Model(WorkerSpec(step.factory, options), sha)
