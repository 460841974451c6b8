"""Pictures and batches for tests of segmenters."""

from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from infra.images.pixels import encode_png
from sightline.ids import image_id
from tasks.segment.prompting import PROMPTS_COLUMN

Rows = list[dict[str, Any]]


def rgb(seed: int, width: int = 90, height: int = 60) -> np.ndarray:
    """Soft blobs of colour: noise alone says the same everywhere."""
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def picture(seed: int, width: int = 90, height: int = 60) -> bytes:
    return encode_png(rgb(seed, width, height))


def batch_of(*pictures: bytes, prompts: list[Rows] | None = None) -> pa.Table:
    table = pa.table({"image_id": [image_id(p) for p in pictures], "bytes": list(pictures)})
    if prompts is None:
        return table
    return table.append_column(PROMPTS_COLUMN, pa.array(prompts, PROMPTS_COLUMN.type))


def prompt(number: int, *box: float, label: str | None = "mug") -> dict[str, Any]:
    return {"kind": "detection", "id": str(number), "label": label, "box": list(box)}


def normalised(pixels: np.ndarray, side: int) -> Any:
    """The official preprocessing of SAM 2: bilinear to the square, ImageNet's statistics."""
    import torch
    from PIL import Image

    square = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
    scaled = (square / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return torch.from_numpy(scaled.transpose(2, 0, 1)[None]).float()
