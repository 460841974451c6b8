"""The text of a prompt: a template of this package and the facts of one view.

Every fact stands on its own labelled line.  Questions, choices, answers and categories come from
datasets and are untrusted: each becomes one line, so that none can forge a label, and the template
is filled in once, so that none is read as a template.
"""

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from sightline.boxes import Box
from sightline.ids import content_id
from tasks.distill.case import ChainCase, SceneObject
from tasks.distill.zoom import seen_in

FACTS_MARK = "{{facts}}"


class Stage(StrEnum):
    """What a reply is for."""

    ZOOM = "zoom"
    FINAL = "final"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Ask:
    """The next thing to ask about a sample.

    Attributes:
        round: position in the chain, from 1.
        view_box: what is shown, fractions of the original, on its pixel grid.
        prompt: text beside the picture.
        prompt_id: sha256 of the template.
    """

    stage: Stage
    round: int
    view_box: Box
    prompt: str
    prompt_id: str


def template(stage: Stage) -> str:
    """Return the template of a stage."""
    return _read(stage.value)


@cache
def _read(name: str) -> str:
    return files("tasks.distill").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8")


def prompt_id(stage: Stage) -> str:
    """Return sha256 of the stage's template; a changed word is another prompt."""
    return hashlib.sha256(template(stage).encode()).hexdigest()


def prompts_identity() -> str:
    """Return one id for all templates, for the fingerprint of the step that uses them."""
    return content_id("prompts", *(prompt_id(stage) for stage in Stage))


def make_ask(case: ChainCase, stage: Stage, round_: int, view: Box) -> Ask:
    """Return what to ask about `view`."""
    facts = "\n".join(fact_lines(case, stage, round_, view))
    prompt = template(stage).replace(FACTS_MARK, facts, 1)
    return Ask(stage, round_, view, prompt, prompt_id(stage))


def fact_lines(case: ChainCase, stage: Stage, round_: int, view: Box) -> list[str]:
    """Return the labelled lines, in their fixed order; unknown facts are left out."""
    lines = [f"Question: {one_line(case.question or '')}"]
    if case.choices:
        lines.append(f"Choices: {_lettered(case.choices)}")
    if case.params.reveal_answer and case.answer is not None:
        lines.append(f"Reference answer: {one_line(case.answer)}")
    target = _target_in(case, view)
    if target is not None:
        lines.append(f"Target region: {box_text(target)}")
    lines += _object_lines(case, view)
    lines.append(f"Round: {round_} of {1 if stage is Stage.SINGLE else case.params.rounds}")
    lines.append(f"Task: {stage.value}")
    return lines


def one_line(text: str) -> str:
    """Return `text` with every run of white space, line ends included, as one space."""
    return " ".join(text.split())


def box_text(box: Box) -> str:
    """Return a box as prompts print it: 4 decimals, a quarter pixel on a 2,500 px page."""
    return "[" + ", ".join(f"{value:.4f}" for value in box) + "]"


def _lettered(choices: Sequence[str]) -> str:
    letters = string.ascii_uppercase
    return " ".join(
        f"({letters[i] if i < len(letters) else i + 1}) {one_line(choice)}"
        for i, choice in enumerate(choices)
    )


def _target_in(case: ChainCase, view: Box) -> Box | None:
    if case.target is None or not case.params.reveal_target:
        return None
    return seen_in(case.target, view, min_share=0.0)


def _object_lines(case: ChainCase, view: Box) -> list[str]:
    listed = [
        _object_line(scene_object, box)
        for scene_object in case.objects
        if (box := seen_in(scene_object.box, view, case.params.object_min_share)) is not None
    ]
    return ["Objects in view:", *listed] if listed else []


def _object_line(scene_object: SceneObject, box: Box) -> str:
    depth = "" if scene_object.depth is None else f" depth {scene_object.depth:.2f}"
    label = one_line(scene_object.category)
    return f"- {scene_object.object_id}. {label} {box_text(box)}{depth}"
