"""What a recipe may choose about semantic duplicates; every field is part of the identity."""

from dataclasses import dataclass
from typing import Final

ALGORITHM: Final = "semdedup-cosine-v1"
METHOD: Final = "semantic"
CLUSTER_ROWS: Final = 1000
"""Rows per cluster that are aimed at: within a cluster every pair is compared."""
MAX_CLUSTERS: Final = 16_384


@dataclass(frozen=True, slots=True)
class SemanticParams:
    """How alike two embeddings have to be to be reported, and how pairs are found.

    Fields:
        threshold: least cosine; take it from `calibrated`, since it means another thing for every
            model and kind of text.
        clusters: number of k-means clusters; 0 for one per `CLUSTER_ROWS` rows.
        iterations: of k-means, at most.
        seed: of the initial centres.
    """

    threshold: float = 0.95
    clusters: int = 0
    iterations: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        if not -1 < self.threshold <= 1:
            msg = f"expected a cosine threshold in (-1, 1], found {self.threshold!r}"
            raise ValueError(msg)

    def clusters_of(self, rows: int) -> int:
        """Return how many clusters `rows` rows are put into."""
        wanted = self.clusters or -(-rows // CLUSTER_ROWS)
        return max(1, min(wanted, rows, MAX_CLUSTERS))


@dataclass(frozen=True, slots=True)
class EmbeddingParams:
    """What makes an embedding.

    Fields:
        weights: any form `infra.checkpoints` resolves; a text encoder with its tokenizer.
        max_tokens: longer texts are cut here.
    """

    weights: str
    max_tokens: int = 512
