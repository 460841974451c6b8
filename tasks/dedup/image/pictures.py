"""Looks at pairs of stored images: which say the same, which are parts or mirror pictures.

Bytes are asked for in portions, all of a portion at once, so a reader over a lake reads each part
once per portion and memory stays at `PORTION` pairs of files.  A verdict is a function of the two
files alone.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from infra.images.decode import ImageProblem, decode
from infra.images.pixels import thumbnail
from tasks.image_keys.layout import difference

RGB = npt.NDArray[np.uint8]
_Value = TypeVar("_Value")
ReadBytes = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Returns the stored bytes of the image ids asked for; they are few: candidates only."""

PORTION: Final = 128
GLANCE_SIDE: Final = 256
"""Most different pairs already differ at this size, which is remembered and cheap to compare."""
_GLANCES: Final = 4096
_DECODED: Final = 16


class Pictures:
    """Decoded pictures of one portion at a time, by image id."""

    def __init__(self, read: ReadBytes) -> None:
        self._read = read
        self._bytes: Mapping[str, bytes] = {}
        self._decoded: OrderedDict[str, RGB | None] = OrderedDict()
        self._glances: OrderedDict[str, _Glance | None] = OrderedDict()

    def portions(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
        """Yield `pairs` in portions; while one is out, its pictures can be asked for."""
        for start in range(0, len(pairs), PORTION):
            portion = pairs[start : start + PORTION]
            self._bytes = self._read(sorted({image for pair in portion for image in pair}))
            yield portion

    def rgb(self, image: str) -> RGB | None:
        """Return the upright pixels, or None for an image that is gone or does not decode."""
        return _remembered(self._decoded, image, self._pixels, _DECODED)

    def say_the_same(self, one: str, other: str) -> bool:
        """Return whether two charts or documents agree in every place."""
        if not _may_agree(self._glance(one), self._glance(other)):
            return False
        first, second = self.rgb(one), self.rgb(other)
        return first is not None and second is not None and difference(first, second).is_same

    def _glance(self, image: str) -> "_Glance | None":
        return _remembered(self._glances, image, self._glanced, _GLANCES)

    def _glanced(self, image: str) -> "_Glance | None":
        rgb = self.rgb(image)
        if rgb is None:
            return None
        step = -(-max(rgb.shape[:2]) // GLANCE_SIDE)
        every = np.ascontiguousarray(rgb[::step, ::step])
        return _Glance(thumbnail(rgb, GLANCE_SIDE), every, rgb.shape[:2])

    def _pixels(self, image: str) -> RGB | None:
        data = self._bytes.get(image)
        if data is None:
            return None
        try:
            return decode(data).rgb
        except ImageProblem:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """A small picture, by averages and by single pixels: clipped tones average to other tones."""

    averages: RGB
    every: RGB
    size: tuple[int, ...]


def _may_agree(one: _Glance | None, other: _Glance | None) -> bool:
    """Return whether a closer look is worth it."""
    if one is None or other is None:
        return False
    if not difference(one.averages, other.averages).is_far:
        return True
    return one.size == other.size and difference(one.every, other.every).is_same


def _remembered(
    known: OrderedDict[str, _Value | None],
    image: str,
    make: Callable[[str], _Value | None],
    size: int,
) -> _Value | None:
    """Return `make(image)`, from `known` if it is there; the longest unused is forgotten."""
    if image in known:
        known.move_to_end(image)
        return known[image]
    made = known[image] = make(image)
    if len(known) > size:
        known.popitem(last=False)
    return made
