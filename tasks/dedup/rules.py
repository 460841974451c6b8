"""The rules that texts are compared by, made from what a recipe says.

Apart from the parameters, because a recipe is read before anything heavy is imported.
"""

from typing import Final

from tasks.dedup.near import NearRule
from tasks.dedup.params import ChainDedupParams, Decision, DedupParams, QuestionTier
from tasks.text_keys.keys import TextKeyParams

SAMPLE_QUESTION: Final = "sample_question"
CHAIN_SAME: Final = "chain_same"
CHAIN_NEAR: Final = "chain_near"


def text_keys_of(params: DedupParams | ChainDedupParams) -> TextKeyParams:
    """Return how texts are keyed."""
    return TextKeyParams(params.shingle_words, params.bands, params.rows, params.seed)


def question_rule(params: DedupParams) -> NearRule | None:
    """Return how questions are compared; null if they are not."""
    if params.questions is QuestionTier.IGNORE:
        return None
    return NearRule(
        kind="sample",
        same=SAMPLE_QUESTION,
        near=SAMPLE_QUESTION,
        about="questions with one answer on one picture",
        decision=Decision(params.questions.value),
        similarity=params.similarity,
        leaders=params.leaders,
        keys=text_keys_of(params),
    )


def chain_rule(params: ChainDedupParams) -> NearRule:
    """Return how rationales are compared."""
    return NearRule(
        kind="chain",
        same=CHAIN_SAME,
        near=CHAIN_NEAR,
        about="one question on one picture, one answer",
        decision=Decision.DROP,
        similarity=params.similarity,
        leaders=params.leaders,
        keys=text_keys_of(params),
    )
