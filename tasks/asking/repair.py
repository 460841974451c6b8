"""The one repair turn: a reply that cannot be read goes back with what is wrong with it.

Its thinking stays behind, since endpoints drop it from earlier turns and it may be long; so does
all but the beginning of a reply that runs on.  What is sent is a function of the stored text alone,
because a replay must ask for the same request.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from infra.teacher.types import Turn
from sightline.thinking import split_thinking
from tasks.asking.facts import one_line, prompt_id

PROBLEM_MARK: Final = "{{problem}}"

MAX_REPLY_CHARS: Final = 4_000
"""Longest part of a reply that is sent back; a well-formed one is shorter."""


def repair_turn(reply: str, problem: str) -> Turn:
    """Return the turn that asks for `reply` again."""
    said = split_thinking(reply)[1].strip() or reply
    text = repair_template().replace(PROBLEM_MARK, one_line(problem), 1)
    return Turn(said[:MAX_REPLY_CHARS], text)


@cache
def repair_template() -> str:
    """Return what is said to a reply that cannot be read."""
    return files("tasks.asking").joinpath("repair.md").read_text(encoding="utf-8")


def repair_prompt_id() -> str:
    """Return the prompt id of a repair turn."""
    return prompt_id(repair_template())
