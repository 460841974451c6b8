"""Small pictures to ingest."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.tasks.ingest.ingested import Picture


@pytest.fixture(scope="session")
def picture() -> Picture:
    """Bytes of a small picture; `shade` makes another one."""

    def make(
        shade: int = 0, size: tuple[int, int] = (40, 30), kind: str = "PNG", orientation: int = 1
    ) -> bytes:
        pixels = np.full((size[1], size[0], 3), shade, dtype=np.uint8)
        pixels[: size[1] // 2, :, 0] = 200
        exif = Image.Exif()
        exif[0x0112] = orientation
        out = BytesIO()
        Image.fromarray(pixels).save(out, kind, exif=exif)
        return out.getvalue()

    return make
