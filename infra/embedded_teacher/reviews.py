"""Second asks: grades a chain, rewords it, or answers without seeing; from templates like the rest.

The grade is that of the answer alone: what is written agrees with the object list by construction.
Rewording replaces stock phrases and never touches a citation or an answer, unless told to.
"""

from typing import Final

from infra.embedded_teacher.answers import UNKNOWN, answer, guess, is_same, wrong_answer
from infra.embedded_teacher.misbehaviour import chance
from infra.embedded_teacher.prompt import Prompt

REVIEWS: Final = frozenset({"judge", "rewrite", "blind", "masked"})
GOOD_SCORES: Final = (1.0, 0.9, 0.8)
BAD_SCORES: Final = (0.0, 0.1, 0.2)
UNDECIDED: Final = 0.5

_REWORDED: Final = (
    ("The question is:", "What has to be found out:"),
    ("To answer, I need to find out:", "The task is to find out:"),
    ("What is asked for:", "Wanted is this:"),
    ("I see ", "In view there is "),
    ("I look closer at", "I take a closer look at"),
    (
        "The decisive part is small in this view, so I zoom in",
        "What decides is small, so I zoom in",
    ),
    ("I narrow the view down", "I narrow my view"),
    ("So the answer is", "Hence the answer is"),
    ("Therefore the answer is", "It follows that the answer is"),
    ("This gives", "That leaves"),
)
_LEAD_IN: Final = "Step by step:"


def review_fields(prompt: Prompt, seed: str, *, is_wrong: bool) -> dict[str, object]:
    """Return the reply to a second ask, by the keys its template asks for.

    Args:
        prompt: its labelled lines.
        seed: what the wording depends on.
        is_wrong: grade the wrong way round, change the answer, or guess something else.
    """
    if prompt.task == "judge":
        return _grade(prompt, seed, is_wrong=is_wrong)
    if prompt.task == "rewrite":
        return _reworded(prompt, seed, is_wrong=is_wrong)
    guessed = guess(prompt, seed)
    return {"answer": wrong_answer(guessed, prompt, seed) if is_wrong else guessed}


def _grade(prompt: Prompt, seed: str, *, is_wrong: bool) -> dict[str, object]:
    known = answer(prompt)
    if known == UNKNOWN:
        return {"reason": "Nothing tells which answer is right.", "score": UNDECIDED}
    is_right = is_same(prompt.given, known, prompt)
    relation = "is" if is_right else "differs from"
    scores = GOOD_SCORES if is_right != is_wrong else BAD_SCORES
    return {
        "reason": f"The given answer {prompt.given!r} {relation} the known one.",
        "score": scores[int(chance(seed, "score") * len(scores))],
    }


def _reworded(prompt: Prompt, seed: str, *, is_wrong: bool) -> dict[str, object]:
    texts = [_other_words(text) for text in prompt.reasonings]
    if not is_wrong or not prompt.given:
        return {"reasoning": texts, "answer": prompt.given}
    changed = wrong_answer(prompt.given, prompt, seed)
    kept, _, last = (texts[-1] if texts else "").rpartition(prompt.given)
    return {"reasoning": [*texts[:-1], f"{kept}{changed}{last}"], "answer": changed}


def _other_words(text: str) -> str:
    """Return a text with its stock phrases replaced, or led in if it has none."""
    said = text
    for phrase, other in _REWORDED:
        said = said.replace(phrase, other)
    return said if said != text else f"{_LEAD_IN} {text}"
