"""Which pictures of a benchmark stand in ours: the same pixels, or a near perceptual hash.

A blank page or a flat colour has hardly a bit set in its hash, so it would be near to every other:
such a picture is compared by its pixels alone, and counted.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa

from tasks.decontaminate.benchmark import Benchmark, hash_words
from tasks.decontaminate.lookup import Hashes, near_pairs
from tasks.decontaminate.texts import Flags

HASH_BITS: Final = 256
LEAST_DIGITS: Final = 6
"""Of a file name that is compared."""
LEAST_BITS_SET: Final = 32
"""Of 256; a picture that shows something has about half of them set."""


@dataclass(frozen=True, slots=True)
class Match:
    """One of our pictures and one of the benchmark's; `bits` is 0 for the same pixels."""

    item: int
    bits: int
    is_same: bool


@dataclass(frozen=True, slots=True)
class OurPictures:
    """Pictures of the lake by what they are compared by.

    Attributes:
        image_ids: (n,) keys of `images`.
        pixels: (n,) pixel shas.
        hashes: (n, 4) uint64; zeros without a hash.
    """

    image_ids: Sequence[str]
    pixels: Sequence[str]
    hashes: Hashes

    @classmethod
    def of(cls, images: pa.Table) -> "OurPictures":
        """Return the pictures of `image_id`, `pixel_sha` and `phash` columns."""
        raw = [bytes.fromhex(value or "0" * 64) for value in images["phash"].to_pylist()]
        return cls(images["image_id"].to_pylist(), images["pixel_sha"].to_pylist(), hash_words(raw))

    @property
    def is_flat(self) -> Flags:
        """Return which have no hash that tells them from others."""
        return is_flat(self.hashes)


@dataclass(frozen=True, slots=True)
class PictureIndex:
    """The pictures of a benchmark, ready to be matched."""

    benchmark: Benchmark
    max_bits: int
    by_pixels: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, benchmark: Benchmark, max_bits: int) -> "PictureIndex":
        """Return the index of a benchmark."""
        index = cls(benchmark, max_bits)
        for item, pixels in zip(benchmark.picture_items.tolist(), benchmark.pixels, strict=True):
            index.by_pixels[pixels].append(item)
        return index

    def matches(self, ours: OurPictures) -> dict[str, list[Match]]:
        """Return the matches of every picture that has one, the nearest item first."""
        found: dict[str, dict[int, Match]] = defaultdict(dict)
        for image, pixels in zip(ours.image_ids, ours.pixels, strict=True):
            for item in self.by_pixels.get(pixels, ()):
                found[image][item] = Match(item, 0, is_same=True)
        for image, item, bits in self._near(ours):
            known = found[image].get(item)
            if known is None or (not known.is_same and bits < known.bits):
                found[image][item] = Match(item, bits, is_same=False)
        return {
            image: sorted(m.values(), key=lambda match: (not match.is_same, match.bits, match.item))
            for image, m in found.items()
        }

    def _near(self, ours: OurPictures) -> list[tuple[str, int, int]]:
        mine = np.flatnonzero(~ours.is_flat)
        theirs = np.flatnonzero(~is_flat(self.benchmark.hashes))
        pairs = near_pairs(ours.hashes[mine], self.benchmark.hashes[theirs], self.max_bits)
        items = self.benchmark.picture_items[theirs[pairs.theirs]]
        images = [ours.image_ids[number] for number in mine[pairs.ours]]
        return list(zip(images, items.tolist(), pairs.bits.tolist(), strict=True))


def telling_name(name: str) -> str:
    """Return the file name that tells a picture from others, without its ending; else ''.

    Public collections number their pictures (`000000534124.jpg`, `X51007231275.jpg`); `3.png` and
    `page-12.jpg` are called so everywhere.
    """
    stem = PurePosixPath(name.replace("\\", "/")).stem.casefold()
    return stem if sum(c.isdigit() for c in stem) >= LEAST_DIGITS else ""


def is_flat(hashes: Hashes) -> Flags:
    """Return which of (n, 4) hashes have too few bits set to tell pictures apart."""
    flags: Flags = np.bitwise_count(hashes).sum(axis=1) < LEAST_BITS_SET
    return flags
