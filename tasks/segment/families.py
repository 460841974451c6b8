"""Which kind of network a checkpoint holds, told by `model_type` in its `config.json`.

    semantic    a label for every pixel: SegFormer, BEiT, UperNet, ...
    universal   a mask and a label for every query: Mask2Former, MaskFormer, OneFormer
    promptable  a mask for every box or point, without labels: SAM 2 and 2.1

The published SAM 2 checkpoints call themselves `sam2_video`; their image half is what is loaded.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from sightline.errors import CheckpointError

SEMANTIC_TYPES: Final = frozenset(
    {
        "beit",
        "data2vec-vision",
        "dpt",
        "mobilenet_v2",
        "mobilevit",
        "mobilevitv2",
        "segformer",
        "upernet",
    }
)
"""What `AutoModelForSemanticSegmentation` loads and takes nothing but normalised pixels."""
UNIVERSAL_TYPES: Final = frozenset({"mask2former", "maskformer", "oneformer"})
PROMPTABLE_TYPES: Final = frozenset({"sam2", "sam2_video"})


class Family(StrEnum):
    """What a segmenter answers with."""

    SEMANTIC = "semantic"
    UNIVERSAL = "universal"
    PROMPTABLE = "promptable"


TYPES: Final[Mapping[Family, frozenset[str]]] = {
    Family.SEMANTIC: SEMANTIC_TYPES,
    Family.UNIVERSAL: UNIVERSAL_TYPES,
    Family.PROMPTABLE: PROMPTABLE_TYPES,
}


class Prompts(StrEnum):
    """What a segmenter is asked about; `segment.prompts` in a recipe.

    `auto` asks promptable networks with a grid, the others need nothing.
    """

    AUTO = "auto"
    GRID = "grid"
    DETECTIONS = "detections"
    SAMPLES = "samples"


class Task(StrEnum):
    """What a universal network is asked for; `segment.task` in a recipe.

    OneFormer is told the task, the others were trained for one.
    """

    PANOPTIC = "panoptic"
    INSTANCE = "instance"
    SEMANTIC = "semantic"


def family_of(config: Mapping[str, Any], name: str) -> Family:
    """Return the family of the checkpoint `name` whose `config.json` holds `config`.

    Raises:
        CheckpointError: no family knows its `model_type`.
    """
    found = config.get("model_type")
    for family, types in TYPES.items():
        if found in types:
            return family
    known = "; ".join(f"{family}: {', '.join(sorted(types))}" for family, types in TYPES.items())
    msg = f"{name}: expected a segmenter ({known}), found model_type {found!r} in config.json"
    raise CheckpointError(msg)


def check_prompts(family: Family, prompts: Prompts, name: str) -> None:
    """Refuse prompts that the network cannot answer.

    Raises:
        CheckpointError: only promptable networks take prompts.
    """
    if prompts is not Prompts.AUTO and family is not Family.PROMPTABLE:
        msg = (
            f"segment.prompts: {prompts.value!r} needs a SAM 2 network, {name} is {family.value}; "
            "choose other weights or leave prompts at 'auto'"
        )
        raise CheckpointError(msg)
