"""Writes the reply to a prompt: JSON by task, correct unless told otherwise, from templates.

Everything is a function of the prompt and `seed`.  A zoom region is the target enlarged on each
side by a share of the target's own size (base 5 to 60 %, varied per side), so that by the stop
rule (area at most twice the ground truth's) chains need one, two or three rounds.  Relations are
stated only where the object list decides them: depth by more than 0.05 (larger is nearer).
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from infra.embedded_teacher.answers import UNKNOWN, answer, named_in, wrong_answer
from infra.embedded_teacher.misbehaviour import chance
from infra.embedded_teacher.prompt import Prompt, SeenObject
from infra.embedded_teacher.reviews import REVIEWS, review_fields
from sightline.boxes import FULL_VIEW, Box, clip, intersection_area

MIN_MARGIN: Final = 0.05
MAX_MARGIN: Final = 0.60
DEPTH_MARGIN: Final = 0.05
MAX_CITED: Final = 4
MIN_SIDE: Final = 0.01
_DECIMALS: Final = 1000

_OPENINGS: Final = (
    "The question is: {question}",
    "To answer, I need to find out: {question}",
    "What is asked for: {question}",
)
_LOOKS: Final = (
    "I look closer at the part of the view that decides it.",
    "The decisive part is small in this view, so I zoom in on it.",
    "I narrow the view down to where the answer can be read.",
)
_ENDINGS: Final = (
    "So the answer is {answer}.",
    "Therefore the answer is {answer}.",
    "This gives {answer}.",
)
_NO_ENDING: Final = "This view does not decide the question."


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Which mistakes the reply shall make."""

    wrong_answer: bool = False
    wrong_box: bool = False
    malformed: bool = False


def write_reply(prompt: Prompt, seed: str, mistakes: Mistakes) -> str:
    """Return the reply text: a JSON object with the keys its task asks for."""
    text = json.dumps(reply_fields(prompt, seed, mistakes), ensure_ascii=False)
    return _broken(text, seed) if mistakes.malformed else text


def reply_fields(prompt: Prompt, seed: str, mistakes: Mistakes) -> dict[str, object]:
    """Return what the reply says, by the keys its task asks for."""
    if prompt.task in REVIEWS:
        return review_fields(prompt, seed, is_wrong=mistakes.wrong_answer)
    if prompt.task == "zoom":
        roi = _wrong_roi(prompt, seed) if mistakes.wrong_box else list(_roi(prompt, seed))
        looking = _reasoning(prompt, seed, _choose(_LOOKS, seed))
        return {"description": _description(prompt), "roi": roi, "reasoning": looking}
    right = answer(prompt)
    said = wrong_answer(right, prompt, seed) if mistakes.wrong_answer else right
    ending = _NO_ENDING if said == UNKNOWN else _choose(_ENDINGS, seed).format(answer=said)
    fields: dict[str, object] = {"reasoning": _reasoning(prompt, seed, ending), "answer": said}
    return {"description": _description(prompt)} | fields if prompt.task == "single" else fields


def _broken(text: str, seed: str) -> str:
    """Return JSON with a colon lost and its end cut off."""
    return text[: -1 - int(chance(seed, "cut") * 8)].replace('": ', '" ', 1)


def write_thinking(prompt: Prompt, seed: str) -> str:
    """Return reasoning as a thinking model gives it apart from its reply."""
    listed = ", ".join(seen.cited for seen in _cited(prompt)) or "no listed object"
    return f"{_opening(prompt, seed)} Relevant here: {listed}. I write the reply as JSON."


def write_refusal(seed: str) -> str:
    """Return a refusal."""
    return _choose(("I can't help with that image.", "I am not able to assist with this."), seed)


def _reasoning(prompt: Prompt, seed: str, ending: str) -> str:
    cited = _cited(prompt)
    middle = [f"I see {_listed([seen.cited for seen in cited])}."] if cited else []
    return " ".join([_opening(prompt, seed), *middle, *_relations(cited), ending])


def _opening(prompt: Prompt, seed: str) -> str:
    question = prompt.question or "what does the image show?"
    return _choose(_OPENINGS, seed).format(question=question)


def _description(prompt: Prompt) -> str:
    if not prompt.objects:
        return "The view shows the region that the question is about."
    counts = Counter(seen.name for seen in prompt.objects)
    names = [f"{n} x {name}" if n > 1 else f"a {name}" for name, n in sorted(counts.items())]
    return f"The view shows {_listed(names)}."


def _cited(prompt: Prompt) -> list[SeenObject]:
    """Return the objects that matter: named in the question, then inside the target."""
    target = prompt.target
    inside = [seen for seen in prompt.objects if target and intersection_area(seen.box, target) > 0]
    chosen = list(dict.fromkeys([*named_in(prompt.question, prompt.objects), *inside]))
    return (chosen or list(prompt.objects))[:MAX_CITED]


def _relations(cited: list[SeenObject]) -> list[str]:
    for first, second in pairwise(cited):
        if first.depth is None or second.depth is None or first.name == second.name:
            continue
        if abs(first.depth - second.depth) > DEPTH_MARGIN:
            near, far = sorted((first, second), key=lambda seen: -(seen.depth or 0.0))
            return [f"The {near.name} is nearer than the {far.name}."]
    return []


def _roi(prompt: Prompt, seed: str) -> Box:
    if prompt.target is None:
        return (0.25, 0.25, 0.75, 0.75)
    x0, y0, x1, y1 = clip(prompt.target)
    base = MIN_MARGIN + chance(seed, "margin") * (MAX_MARGIN - MIN_MARGIN)
    left, top, right, bottom = (base * (0.5 + 0.5 * chance(seed, side)) for side in "ltrb")
    width, height = max(x1 - x0, MIN_SIDE), max(y1 - y0, MIN_SIDE)
    grown = clip((x0 - left * width, y0 - top * height, x1 + right * width, y1 + bottom * height))
    return _rounded_outward(grown)


def _rounded_outward(box: Box) -> Box:
    """Round to three decimals without losing any of the box."""
    return clip(
        (
            math.floor(box[0] * _DECIMALS) / _DECIMALS,
            math.floor(box[1] * _DECIMALS) / _DECIMALS,
            math.ceil(box[2] * _DECIMALS) / _DECIMALS,
            math.ceil(box[3] * _DECIMALS) / _DECIMALS,
        )
    )


def _wrong_roi(prompt: Prompt, seed: str) -> list[float]:
    """Return a box off target, one of no size, or the right one in 0..1000."""
    right = _roi(prompt, seed)
    kind = int(chance(seed, "wrong box") * 3)
    if kind == 0:
        far = _far_corner(prompt.target or FULL_VIEW)
        return list(far)
    if kind == 1:
        return [right[0], right[1], right[0], right[1]]
    return [round(value * _DECIMALS) for value in right]


def _far_corner(target: Box) -> Box:
    """Return a small box in the corner of the view that the target is farthest from."""
    x = 0.70 if target[0] + target[2] < 1.0 else 0.05
    y = 0.70 if target[1] + target[3] < 1.0 else 0.05
    return (x, y, x + 0.25, y + 0.25)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _choose(options: tuple[str, ...], seed: str) -> str:
    return options[int(chance(seed, options[0]) * len(options))]
