"""What is wrong with the text of a reply, whether or not a grammar can read it.

Each test is one pass.  Thresholds are chosen on real replies of about sixty local models (the
golden results state the agreement with their graders); a defect is a mark to filter by, not a
verdict.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from sightline.thinking import CLOSE_THINKING, split_thinking
from tasks.replies.parsed import Defect
from tasks.replies.role_tokens import has_role_token, own_turn

LOOP_WORDS = 6
LOOP_TIMES = 5
"""The same six words five times are a loop; prose and lists of boxes do not reach it."""

ECHO_WORDS = 12
"""Words in a row taken from the prompt that make an echo; quotes of a question are shorter."""


def defects_of(text: str, prompt: str | None = None) -> tuple[Defect, ...]:
    """Return the defects of `text`, sorted by name.

    Args:
        text: a reply, verbatim.
        prompt: what was asked; without it no echo can be found.
    """
    return tuple(sorted(_defects(text, prompt)))


def _defects(text: str, prompt: str | None) -> Iterator[Defect]:
    turn = own_turn(text)
    thinking, rest = split_thinking(turn)
    closes = CLOSE_THINKING.search(turn) is not None
    if thinking is not None and not closes:
        yield Defect.MISSING_END
    if closes and turn.lstrip().startswith(thinking or "\0"):
        yield Defect.MISSING_OPENING
    if has_role_token(text):
        yield Defect.ROLE_TOKEN
    if _loops(text):
        yield Defect.REPETITION
    if prompt is not None and _echoes(rest, prompt):
        yield Defect.PROMPT_ECHO


def _loops(text: str) -> bool:
    runs = Counter(_runs(text.split(), LOOP_WORDS))
    return bool(runs) and max(runs.values()) >= LOOP_TIMES


def _echoes(text: str, prompt: str) -> bool:
    asked = set(_runs(prompt.split(), ECHO_WORDS))
    return any(run in asked for run in _runs(text.split(), ECHO_WORDS))


def _runs(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + length]) for i in range(len(words) - length + 1))
