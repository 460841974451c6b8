"""Depth files in every encoding, made from known metres."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def png(values: np.ndarray) -> bytes:
    done, data = cv2.imencode(".png", values)
    assert done
    return bytes(data)


def linear(metres: np.ndarray, scale: float) -> bytes:
    return png(np.rint(metres * scale).astype(np.uint16))


def sun(metres: np.ndarray) -> bytes:
    millimetres = np.rint(metres * 1000).astype(np.uint16)
    return png((millimetres << 3) | (millimetres >> 13))


def kinect_disparity(metres: np.ndarray) -> np.ndarray:
    return np.rint(1092.5 - 351.3 / metres).astype(np.uint16)


def kinect(metres: np.ndarray) -> bytes:
    """A PGM whose 16-bit values hold their low byte first, as the raw NYU files do."""
    height, width = metres.shape
    header = f"P5 {width} {height} 65535\n".encode()
    return header + kinect_disparity(metres).astype("<u2").tobytes()


def disparity(metres: np.ndarray, factor: float = 200.0) -> bytes:
    return png(np.rint(factor / metres).astype(np.uint8))


def slope(height: int = 48, width: int = 64, near: float = 1.0, far: float = 6.0) -> np.ndarray:
    """Metres that grow from the bottom row to the top row, a little from left to right."""
    rows = np.linspace(far, near, height)[:, None]
    return rows + np.linspace(0, 0.2, width)[None, :]


def write_truth(folder: Path, rows: list[dict[str, Any]], files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "depth.jsonl").write_text("\n".join(lines) + "\n")
    return folder
