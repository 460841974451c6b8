"""`card.json`: what lies beside the weights so that nobody has to guess what they are."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scripts.training.cache import HELD_OUT_SEED, TRAIN_SEED
from scripts.training.preprocess import IMAGENET_MEAN, IMAGENET_STD, ResizeRule
from tasks.ingest.scenes.render import GENERATOR_VERSION

CARD: Final = "card.json"
WEIGHTS: Final = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Training:
    """How the weights came about."""

    steps: int
    seed: int
    scenes: int
    minutes: float


def write_card(
    folder: Path, *, output: str, rule: ResizeRule, training: Training, figures: dict[str, Any]
) -> None:
    """Describe the weights in `folder`."""
    card = {
        "name": f"sightline-scenes-{folder.parent.name}",
        "licence": "Apache-2.0",
        "purpose": "demo and tests on rendered scenes only",
        "output": output,
        "preprocessing": {
            "resize": "short side to input_px, aspect kept, both sides to the nearest multiple",
            "input_px": rule.input_px,
            "multiple": rule.multiple,
            "resample": "bicubic",
            "scale": "1/255",
            "mean": IMAGENET_MEAN,
            "std": IMAGENET_STD,
        },
        "training": {
            **asdict(training),
            "scene_seed": TRAIN_SEED,
            "generator_version": GENERATOR_VERSION,
        },
        "held_out": {"scene_seed": HELD_OUT_SEED, **figures},
        "weights_sha256": weights_sha256(folder),
    }
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")


def read_card(folder: Path) -> dict[str, Any]:
    """The fields of the card in `folder`."""
    card: dict[str, Any] = json.loads((folder / CARD).read_text())
    return card


def weights_sha256(folder: Path) -> str:
    """Identity of the weights file."""
    return hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
