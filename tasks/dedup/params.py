"""What a recipe may choose about deduplication before anything is paid."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DedupParams:
    """Nothing to choose yet: exact duplicates have no threshold."""
