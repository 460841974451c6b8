"""What a recipe may choose about deduplication, before anything is paid and after it was judged.

The defaults drop only what is the same by rule; what merely looks alike is reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sightline.errors import RecipeError
from tasks.dedup.image.params import ImageParams

HASH_BITS = 256
VIEW_BITS = 64
MAX_BYTES_OF_SIGNATURE = 512


class Decision(StrEnum):
    """What follows for a member of a cluster that is not the kept one."""

    DROP = "drop"
    REPORT = "report"


class QuestionTier(StrEnum):
    """What becomes of questions that are worded alike and agree in everything else."""

    IGNORE = "ignore"
    REPORT = "report"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class DedupParams:
    """What is compared before anything is paid: pictures, and questions on them.

    Attributes:
        image_bits: most bits of 256 in which the perceptual hashes of one picture may differ.
        views: whether crops and flips of other images are looked for; they are only reported.
        view_bits: most bits of 64 in which a picture may differ from a crop or flip.
        questions: what becomes of alike questions on one picture with one answer.
        similarity: least Jaccard similarity of the shingles of alike questions.
        shingle_words: words in a shingle; questions are short.
        bands: MinHash bands; more find more pairs near the least similarity.
        rows: hashes in a band; fewer find more pairs and compare more.
        leaders: kept members of a bucket that a further member is compared with.
        seed: of the MinHash permutations.
    """

    image_bits: int = 24
    views: bool = True
    view_bits: int = 8
    questions: QuestionTier = QuestionTier.REPORT
    similarity: float = 0.8
    shingle_words: int = 2
    bands: int = 16
    rows: int = 7
    leaders: int = 64
    seed: int = 1

    def __post_init__(self) -> None:
        limits = [
            ("image_bits", f"0 to {HASH_BITS // 4}", 0 <= self.image_bits <= HASH_BITS // 4),
            ("view_bits", f"0 to {VIEW_BITS // 4}", 0 <= self.view_bits <= VIEW_BITS // 4),
            *_text_limits(self),
        ]
        _refuse_others("dedup", self, limits)

    @property
    def images(self) -> ImageParams:
        """Return what decides about pictures."""
        return ImageParams(
            max_bits=self.image_bits, view_bits=self.view_bits, finds_views=self.views
        )


@dataclass(frozen=True, slots=True)
class ChainDedupParams:
    """What is compared once chains are judged: what they say about one question on one picture.

    Attributes:
        similarity: least Jaccard similarity of the shingles of two rationales.
        shingle_words: words in a shingle.
        bands: MinHash bands; more find more pairs near the least similarity.
        rows: hashes in a band; fewer find more pairs and compare more.
        leaders: kept members of a bucket that a further member is compared with.
        seed: of the MinHash permutations.
    """

    similarity: float = 0.8
    shingle_words: int = 5
    bands: int = 16
    rows: int = 7
    leaders: int = 64
    seed: int = 1

    def __post_init__(self) -> None:
        _refuse_others("dedup_chains", self, _text_limits(self))


Limit = tuple[str, str, bool]
"""Name of a parameter, what is expected of it, and whether it holds."""


def _text_limits(params: DedupParams | ChainDedupParams) -> Iterable[Limit]:
    width = params.bands * params.rows
    return [
        ("similarity", "above 0 and at most 1", 0 < params.similarity <= 1),
        ("shingle_words", "1 to 16", 1 <= params.shingle_words <= 16),  # noqa: PLR2004
        ("bands", "at least 1", params.bands >= 1),
        ("rows", "at least 1", params.rows >= 1),
        (
            "bands",
            f"such that bands times rows is at most {MAX_BYTES_OF_SIGNATURE}",
            width <= MAX_BYTES_OF_SIGNATURE,
        ),
        ("leaders", "at least 1", params.leaders >= 1),
        ("seed", "at least 0", params.seed >= 0),
    ]


def _refuse_others(
    step: str, params: DedupParams | ChainDedupParams, limits: Iterable[Limit]
) -> None:
    wrong = [
        f"{name} must be {expected}, found {getattr(params, name)!r}"
        for name, expected, holds in limits
        if not holds
    ]
    if wrong:
        msg = f"{step} parameters: {'; '.join(wrong)}"
        raise RecipeError(msg)
