"""Reads a reply by the name of its grammar, or by the first form that fits.

`read_answer` and `read_region` are total: whatever text comes in, a `ParsedReply` comes out.  Any
change of what they return for some text needs another `PARSER_VERSION`: it is part of the identity
of the rows made from replies, and nothing else makes stored replies be read again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sightline.storable import storable
from sightline.thinking import join_thinking
from tasks.replies import (
    bbox_json,
    bbox_tag,
    boxed,
    free_text,
    hash_answer,
    judge_scores,
    option_letter,
    round_json,
    stage_tags,
    think_answer,
    thought_action,
    thoughts,
    zoom_tokens,
)
from tasks.replies.defects import defects_of
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.role_tokens import own_turn

PARSER_VERSION: Final = 2

PARSERS: Final[Mapping[Grammar, Callable[[str], ParsedReply]]] = {
    Grammar.BBOX_JSON: bbox_json.parse,
    Grammar.BBOX_TAG: bbox_tag.parse,
    Grammar.BOXED: boxed.parse,
    Grammar.FREE_TEXT: free_text.parse,
    Grammar.HASH_ANSWER: hash_answer.parse,
    Grammar.JUDGE_SCORES: judge_scores.parse,
    Grammar.OPTION_LETTER: option_letter.parse,
    Grammar.ROUND_JSON: round_json.parse,
    Grammar.STAGE_TAGS: stage_tags.parse,
    Grammar.THINK_ANSWER: think_answer.parse,
    Grammar.THOUGHT_ACTION: thought_action.parse,
    Grammar.THOUGHTS: thoughts.parse,
    Grammar.ZOOM_TOKENS: zoom_tokens.parse,
}

ANSWER_FORMS: Final = (
    Grammar.ROUND_JSON,
    Grammar.THINK_ANSWER,
    Grammar.HASH_ANSWER,
    Grammar.BOXED,
    Grammar.STAGE_TAGS,
    Grammar.THOUGHT_ACTION,
    Grammar.THOUGHTS,
)
"""What `auto` tries for an answer, in order: forms whose marks prose does not hold by chance."""

REGION_FORMS: Final = (
    Grammar.ROUND_JSON,
    Grammar.ZOOM_TOKENS,
    Grammar.BBOX_TAG,
    Grammar.BBOX_JSON,
)
"""What `auto` tries for a region, in order."""

PROSE_FORMS: Final = (Grammar.OPTION_LETTER, Grammar.FREE_TEXT)
"""Forms for an answer that a recipe must name, because almost any text fits them."""

ANSWER_GRAMMARS: Final = frozenset(Grammar) - {Grammar.BBOX_JSON, Grammar.JUDGE_SCORES}
"""What a recipe may name for replies that answer."""

REGION_GRAMMARS: Final = frozenset({Grammar.AUTO, *REGION_FORMS})
"""What a recipe may name for replies that state a region."""


def read_answer(
    text: str, grammar: Grammar = Grammar.AUTO, thinking: str | None = None
) -> ParsedReply:
    """Return what a reply that was asked for an answer says; `thinking` came apart from it."""
    turn = _whole(text, thinking)
    return _first(turn, grammar, ANSWER_FORMS, lambda reading: reading.answered)


def read_region(
    text: str, grammar: Grammar = Grammar.AUTO, thinking: str | None = None
) -> ParsedReply:
    """Return what a reply that was asked for a region says; `thinking` came apart from it."""
    turn = _whole(text, thinking)
    return _first(turn, grammar, REGION_FORMS, lambda reading: reading.states_region)


def read_scores(text: str) -> ParsedReply:
    """Return what a judge says."""
    return PARSERS[Grammar.JUDGE_SCORES](own_turn(storable(text)))


def with_text_defects(reply: ParsedReply, text: str, prompt: str | None = None) -> ParsedReply:
    """Return `reply` with the defects of the whole text it was read from."""
    return reply.with_defects(defects_of(text, prompt))


def _whole(text: str, thinking: str | None) -> str:
    """Return the turn of the author; a role token in thinking that came apart ends nothing."""
    return join_thinking(None if thinking is None else storable(thinking), own_turn(storable(text)))


def _first(
    turn: str, grammar: Grammar, forms: Sequence[Grammar], fits: Callable[[ParsedReply], bool]
) -> ParsedReply:
    """Return the first reading that fits, else the first one, marked as fitting no form."""
    if grammar is not Grammar.AUTO:
        return PARSERS[grammar](turn)
    readings = (PARSERS[form](turn) for form in forms)
    first = next(readings)
    if fits(first):
        return first
    return next(filter(fits, readings), replace(first, grammar=Grammar.AUTO))
