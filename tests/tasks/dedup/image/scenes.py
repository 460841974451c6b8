"""Generated pictures: photos with many tones and corners, and tables of digits on white."""

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.images.decode import decode
from infra.images.pixels import encode_jpeg, encode_png, phash256, pixel_sha, resize_bicubic
from sightline.ids import image_id
from tasks.dedup.image.duplicates import ITEM_COLUMNS, image_duplicates
from tasks.dedup.image.params import ImageParams
from tasks.image_keys.worker import ImageKeyWorker

RGB = npt.NDArray[np.uint8]


def photo(seed: int, width: int = 480, height: int = 360) -> RGB:
    """Smooth random light with blobs of random colours: all tones, many corners."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    picture = resize_bicubic(coarse, width, height).copy()
    for _ in range(160):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        cv2.circle(picture, centre, int(rng.integers(3, 18)), colour, -1, cv2.LINE_AA)
    return picture


def table(numbers: list[int], width: int = 420) -> RGB:
    """A bordered list of numbers in black on white, with a blue band on the right."""
    picture = np.full((40 * len(numbers) + 10, width, 3), 255, np.uint8)
    for row, number in enumerate(numbers):
        y = 40 * row
        cv2.rectangle(picture, (5, y + 5), (width - 5, y + 45), (0, 0, 0), 1)
        place = (20, y + 33)
        cv2.putText(
            picture, f"Item {row}: {number}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 1
        )
    picture[:, width - 60 : width - 20] = (120, 160, 220)
    return picture


def bars(heights: tuple[int, ...], width: int = 400) -> RGB:
    """A chart of light bars on light grey, whose tones a brighter copy clips."""
    picture = np.full((300, width, 3), 228, np.uint8)
    cv2.rectangle(picture, (8, 8), (width - 8, 292), (250, 250, 250), -1)
    for place, height in enumerate(heights):
        x = 40 + 85 * place
        cv2.rectangle(picture, (x, 270 - 25 * height), (x + 50, 270), (190, 215, 240), -1)
        cv2.rectangle(picture, (x, 270 - 25 * height), (x + 50, 270), (60, 60, 60), 1)
    return picture


def resized(rgb: RGB, factor: float) -> RGB:
    height, width = rgb.shape[:2]
    return resize_bicubic(rgb, round(width * factor), round(height * factor))


def brighter(rgb: RGB, factor: float) -> RGB:
    return np.clip(rgb * factor, 0, 255).astype(np.uint8)


def grey(rgb: RGB) -> RGB:
    return cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def recompressed(rgb: RGB, quality: int) -> RGB:
    return decode(encode_jpeg(rgb, quality)).rgb


def png(rgb: RGB) -> bytes:
    return encode_png(rgb)


class Shelf:
    """Images by name, as the tables that the image tiers read."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = {image_id(data): data for data in files.values()}
        self.names = {image_id(data): name for name, data in reversed(files.items())}
        self.n_reads = 0

    def items(self, *, order: list[int] | None = None) -> pa.Table:
        pixels = {image: decode(data).rgb for image, data in self.files.items()}
        batch = pa.table(
            {
                "image_id": list(self.files),
                "bytes": pa.array(self.files.values(), pa.binary()),
                "phash": [phash256(rgb) for rgb in pixels.values()],
            }
        )
        keys = ImageKeyWorker()(batch).table
        shas = pa.array([pixel_sha(pixels[i]) for i in keys["image_id"].to_pylist()])
        items = keys.append_column("pixel_sha", shas).select(list(ITEM_COLUMNS))
        return items if order is None else items.take(pa.array(order))

    def read(self, images):  # noqa: ANN001
        self.n_reads += len(images)
        return {image: self.files[image] for image in images}

    def pairs(self, params: ImageParams | None = None) -> dict[str, dict[str, str]]:
        """Return {method: {member: kept}} by name."""
        rows = image_duplicates(self.items(), self.read, params or ImageParams()).to_pylist()
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            if row["item_id"] != row["kept_id"]:
                pair = (self.names[row["item_id"]], self.names[row["kept_id"]])
                found.setdefault(row["method"], {})[pair[0]] = pair[1]
        return found
