"""What a checkpoint says about itself: its `config.json` and `preprocessor_config.json`.

Published checkpoints state the means that they were trained with; most are ImageNet's, some are
not (BEiT, OWLv2).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sightline.errors import CheckpointError

CONFIG: Final = "config.json"
PROCESSOR: Final = "preprocessor_config.json"

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
"""As published with the weights (openai/CLIP, `clip/clip.py`)."""

Statistics = tuple[Sequence[float], Sequence[float]]
IMAGENET: Final[Statistics] = (IMAGENET_MEAN, IMAGENET_STD)
CLIP: Final[Statistics] = (CLIP_MEAN, CLIP_STD)


def config_of(folder: Path) -> Mapping[str, Any]:
    """Return the content of `config.json`.

    Raises:
        CheckpointError: it is no JSON object.
    """
    return _object(folder / CONFIG)


def statistics(folder: Path, usual: Statistics = IMAGENET) -> Statistics:
    """Return mean and standard deviation per channel, of pixels in 0..1.

    Args:
        folder: of the checkpoint.
        usual: what holds where the checkpoint states none.

    Raises:
        CheckpointError: it states something else than three numbers.
    """
    path = folder / PROCESSOR
    stated = _object(path) if path.is_file() else {}
    return (
        _per_channel(path, stated.get("image_mean", usual[0])),
        _per_channel(path, stated.get("image_std", usual[1])),
    )


def _object(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as exc:
        msg = f"{path}: expected a JSON object: {exc}"
        raise CheckpointError(msg) from exc
    if not isinstance(value, dict):
        msg = f"{path}: expected a JSON object, found {type(value).__name__}"
        raise CheckpointError(msg)
    return value


def _per_channel(path: Path, stated: Any) -> Sequence[float]:
    is_number = isinstance(stated, list | tuple) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in stated
    )
    channels = 3
    if not is_number or len(stated) != channels:
        msg = f"{path}: expected three numbers as mean and deviation, found {stated!r}"
        raise CheckpointError(msg)
    return tuple(float(value) for value in stated)
