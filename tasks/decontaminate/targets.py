"""What of a lake is compared with a benchmark: parts of samples, of chains and of images."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What of the lake is compared; the value is in the names of parts."""

    SAMPLES = "samples"
    CHAINS = "chains"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Target:
    """One part of the lake that is compared.

    Attributes:
        kind: what it is.
        part: its name.
        fingerprint: of what it holds now.
        rows: how many.
        image_parts: parts of `images` that its samples' pictures are in.
    """

    kind: Kind
    part: str
    fingerprint: str
    rows: int
    image_parts: tuple[str, ...] = ()

    @property
    def pictures(self) -> tuple[str, ...]:
        """Return the parts of `images` that are read to compare this one."""
        return (self.part,) if self.kind is Kind.IMAGES else self.image_parts
