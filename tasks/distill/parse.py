"""What a round of a chain said, as typed values; total, whatever text comes in.

The forms of replies are those of `tasks.replies`; here is only what a round must hold.  A zoom
round without a readable region still says something; a final one needs reasoning and answer.
Where a reply gives no reasoning, its thinking is the reasoning, wherever the endpoint put it.
"""

from dataclasses import dataclass

from tasks.replies.grammar import read_answer, read_region
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.stated_boxes import BoxProblem, Frame, StatedBox, read_box


@dataclass(frozen=True, slots=True)
class ZoomReply:
    """What a zoom round said; `roi` is a problem if no region can be read."""

    thinking: str | None
    description: str | None
    reasoning: str | None
    roi: StatedBox | BoxProblem


@dataclass(frozen=True, slots=True)
class FinalReply:
    """What a final or single round said; both texts are there."""

    thinking: str | None
    description: str | None
    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A reply that does not follow the grammar its prompt asked for."""

    thinking: str | None
    expected: str


def parse_zoom(
    text: str, frame: Frame, grammar: Grammar = Grammar.AUTO, thinking: str | None = None
) -> ZoomReply | Malformed:
    """Return the description, region and reasoning of a zoom reply.

    Args:
        text: of the reply, verbatim.
        frame: the view it was about.
        grammar: the form asked for; `auto` takes the first that states a region.
        thinking: what the endpoint returned apart from the text.
    """
    said = read_region(text, grammar, thinking)
    if not said.states_region and said.description is None and said.reasoning is None:
        return Malformed(said.thinking, "expected description, roi and reasoning, found none")
    reasoning = said.reasoning or said.thinking
    return ZoomReply(said.thinking, said.description, reasoning, _region(said, frame))


def parse_final(
    text: str, grammar: Grammar = Grammar.AUTO, thinking: str | None = None
) -> FinalReply | Malformed:
    """Return the reasoning and answer of a final or single reply.

    Args:
        text: of the reply, verbatim.
        grammar: the form asked for; `auto` takes the first that states an answer.
        thinking: what the endpoint returned apart from the text.
    """
    said = read_answer(text, grammar, thinking)
    reasoning = said.reasoning or said.thinking
    if reasoning is None or said.answer is None:
        missing = "answer" if said.answer is None else "reasoning"
        return Malformed(said.thinking, f"expected reasoning and answer, found no {missing}")
    return FinalReply(said.thinking, said.description, reasoning, said.answer)


def _region(said: ParsedReply, frame: Frame) -> StatedBox | BoxProblem:
    """Return the last region stated: a reply drafts before it decides."""
    if not said.states_region:
        return BoxProblem("no roi is stated")
    return read_box(said.boxes[-1].value, frame)
