"""What a recipe may choose about what embeddings call alike; every field is part of the identity.

Nothing here can drop a row: of questions with changed numbers 62 % have a cosine of 0.95 or more,
so what is found is reported for a person to look at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sightline.errors import RecipeError

ALGORITHM: Final = "semdedup-cosine-v2"
DEFAULT_THRESHOLD: Final = 0.95
"""Where neither the recipe nor a labelled sample says one."""
CLUSTER_ROWS: Final = 1000
"""Rows per cluster that are aimed at: within a cluster every pair is compared."""
MAX_CLUSTERS: Final = 16_384

TEXT_WORKER: Final = "tasks.dedup.semantic.worker:EmbeddingWorker"
IMAGE_WORKER: Final = "tasks.dedup.copies.worker:ImageEmbeddingWorker"


class Kind(StrEnum):
    """What an embedding is of."""

    SAMPLE = "sample"
    CHAIN = "chain"
    IMAGE = "image"

    @property
    def method(self) -> str:
        """Return the name of the tier in `duplicates`."""
        return f"{self.value}_semantic"


class Scope(StrEnum):
    """Among which texts alike ones are looked for."""

    PICTURE = "picture"
    LAKE = "lake"


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes the embeddings of one kind of item.

    Fields:
        name: weights or the endpoint's model, as the recipe names them.
        factory: of the worker that holds the weights; null for an endpoint.
        options: of the worker, or further parameters of a request.
    """

    name: str
    factory: str | None
    options: Mapping[str, Any]

    @property
    def dimensions(self) -> int | None:
        """Return the length of a vector that an endpoint is asked for; null is the model's own."""
        found: int | None = self.options.get("dimensions")
        return found


@dataclass(frozen=True, slots=True)
class SemanticDedupParams:
    """What embeddings call alike: reported beside each other, never dropped.

    Attributes:
        weights: a text encoder with its tokenizer: a folder, an object-store URI or a hub id.
        model: model of an endpoint that embeds texts, instead of `weights`.
        dimensions: length of the vectors that `model` is asked for; null is its own.
        max_tokens: longer texts are cut here; an endpoint gets whole texts.
        questions: whether questions are compared.
        chains: whether rationales are compared.
        scope: texts about one `picture`, or of the whole `lake`, where one question stands under
            thousands of pictures.
        threshold: least cosine of two texts; null takes the calibrated one, else 0.95.
        image_weights: an image encoder, such as DINOv2, to compare pictures with; null for none.
        image_px: sides of the square that a picture is brought to; a multiple of its patches.
        image_threshold: least cosine of two pictures; null takes the calibrated one, else 0.95.
        clusters: number of k-means clusters within which all pairs are compared; 0 for one per
            thousand items.
        iterations: of k-means, at most.
        seed: of the initial centres.
    """

    weights: str | None = None
    model: str | None = None
    dimensions: int | None = None
    max_tokens: int = 512
    questions: bool = True
    chains: bool = True
    scope: Scope = Scope.PICTURE
    threshold: float | None = None
    image_weights: str | None = None
    image_px: int = 224
    image_threshold: float | None = None
    clusters: int = 0
    iterations: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        limits = self._limits()
        wrong = [f"{name} must be {expected}" for name, expected, holds in limits if not holds]
        if wrong:
            msg = f"dedup_semantic parameters: {'; '.join(wrong)}"
            raise RecipeError(msg)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Return what is compared, in the order of the recipe's steps."""
        wanted = {
            Kind.SAMPLE: self.questions and self._text_encoder is not None,
            Kind.CHAIN: self.chains and self._text_encoder is not None,
            Kind.IMAGE: self.image_weights is not None,
        }
        return tuple(kind for kind, is_wanted in wanted.items() if is_wanted)

    @property
    def asked_model(self) -> str | None:
        """Return the model of an endpoint that is asked; null if none is."""
        return self.model if {Kind.SAMPLE, Kind.CHAIN} & {*self.kinds} else None

    def refuse_nothing(self) -> None:
        """Check that something is compared.

        Raises:
            RecipeError: nothing is.
        """
        if not self.kinds:
            msg = "dedup_semantic compares nothing: name weights or model for texts (and leave "
            msg += "questions or chains on), image_weights for pictures, or both"
            raise RecipeError(msg)

    def encoder(self, kind: Kind) -> Encoder:
        """Return what embeds items of a kind.

        Raises:
            RecipeError: nothing that embeds them is named.
        """
        found = self._image_encoder if kind is Kind.IMAGE else self._text_encoder
        if found is None:
            msg = f"dedup_semantic: nothing embeds items of kind {kind.value}; name "
            msg += "image_weights" if kind is Kind.IMAGE else "weights (a text encoder) or model"
            raise RecipeError(msg)
        return found

    def stated_threshold(self, kind: Kind) -> float | None:
        """Return the threshold that the recipe states."""
        return self.image_threshold if kind is Kind.IMAGE else self.threshold

    def report(self, kind: Kind, threshold: float) -> "SemanticParams":
        """Return how pairs of one kind are found."""
        return SemanticParams(threshold, self.clusters, self.iterations, self.seed, kind)

    @property
    def _text_encoder(self) -> Encoder | None:
        if self.model is not None:
            return Encoder(self.model, None, {"dimensions": self.dimensions})
        if self.weights is None:
            return None
        options = {"weights": self.weights, "max_tokens": self.max_tokens}
        return Encoder(self.weights, TEXT_WORKER, options)

    @property
    def _image_encoder(self) -> Encoder | None:
        if self.image_weights is None:
            return None
        options = {"weights": self.image_weights, "input_px": self.image_px}
        return Encoder(self.image_weights, IMAGE_WORKER, options)

    def _limits(self) -> Iterable[tuple[str, str, bool]]:
        thresholds = [t for t in (self.threshold, self.image_threshold) if t is not None]
        return [
            ("one of weights and model", "null", self.weights is None or self.model is None),
            ("dimensions", "null without model", self.dimensions is None or self.model is not None),
            ("thresholds", "above 0 and at most 1", all(0 < t <= 1 for t in thresholds)),
            ("max_tokens", "at least 1", self.max_tokens >= 1),
            ("image_px", "at least 1", self.image_px >= 1),
            ("clusters", "at least 0", self.clusters >= 0),
            ("iterations", "at least 1", self.iterations >= 1),
            ("seed", "at least 0", self.seed >= 0),
        ]


@dataclass(frozen=True, slots=True)
class SemanticParams:
    """How alike two embeddings have to be to be reported, and how pairs are found.

    Fields:
        threshold: least cosine; take it from `calibrated`, since it means another thing for every
            model and kind of text.
        clusters: number of k-means clusters; 0 for one per `CLUSTER_ROWS` rows.
        iterations: of k-means, at most.
        seed: of the initial centres.
        kind: of the items.
    """

    threshold: float = DEFAULT_THRESHOLD
    clusters: int = 0
    iterations: int = 20
    seed: int = 1
    kind: Kind = Kind.CHAIN

    def __post_init__(self) -> None:
        if not -1 < self.threshold <= 1:
            msg = f"expected a cosine threshold in (-1, 1], found {self.threshold!r}"
            raise ValueError(msg)

    def clusters_of(self, rows: int) -> int:
        """Return how many clusters `rows` rows are put into."""
        wanted = self.clusters or -(-rows // CLUSTER_ROWS)
        return max(1, min(wanted, rows, MAX_CLUSTERS))
