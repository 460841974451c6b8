"""The text of a prompt: a template and the facts of one view (`tasks.asking.facts`)."""

from dataclasses import dataclass, replace

from infra.teacher.types import Turn
from sightline.boxes import Box
from sightline.ids import content_id
from tasks.asking.facts import filled, one_line, prompt_id, question_lines
from tasks.asking.repair import repair_prompt_id, repair_template, repair_turn
from tasks.distill.case import ChainCase, ChainParams, SceneObject
from tasks.distill.stages import Stage, shipped_template
from tasks.distill.zoom import seen_in


@dataclass(frozen=True, slots=True)
class Ask:
    """The next thing to ask about a sample.

    Attributes:
        round: position in the chain, from 1.
        view_box: what is shown, fractions of the original, on its pixel grid.
        prompt: text beside the picture.
        prompt_id: sha256 of the template of what is said last.
        turns: replies of this round that could not be read, and what is said to them.
    """

    stage: Stage
    round: int
    view_box: Box
    prompt: str
    prompt_id: str
    turns: tuple[Turn, ...] = ()

    @property
    def turn(self) -> int:
        """Return how many repairs this round has had, this one included."""
        return len(self.turns)

    def repaired(self, reply: str, problem: str) -> "Ask":
        """Return the ask that sends `reply` back."""
        turns = (*self.turns, repair_turn(reply, problem))
        return replace(self, turns=turns, prompt_id=repair_prompt_id())


def template(stage: Stage, params: ChainParams) -> str:
    """Return the template of a stage: the recipe's own, else the one that ships."""
    return params.prompts.get(stage.value) or shipped_template(stage)


def prompts_identity(params: ChainParams) -> str:
    """Return one id for all templates, for the fingerprint of the step that uses them."""
    ids = [prompt_id(template(stage, params)) for stage in Stage]
    return content_id("prompts", *ids, repair_prompt_id())


def templates(params: ChainParams) -> tuple[str, ...]:
    """Return all templates of a chain, that of the repair turn last."""
    return (*(template(stage, params) for stage in Stage), repair_template())


def make_ask(case: ChainCase, stage: Stage, round_: int, view: Box) -> Ask:
    """Return what to ask about `view`."""
    chosen = template(stage, case.params)
    prompt = filled(chosen, fact_lines(case, stage, round_, view))
    return Ask(stage, round_, view, prompt, prompt_id(chosen))


def fact_lines(case: ChainCase, stage: Stage, round_: int, view: Box) -> list[str]:
    """Return the labelled lines, in their fixed order; unknown facts are left out."""
    lines = question_lines(case.question, case.choices)
    if case.params.reveal_answer and case.answer is not None:
        lines.append(f"Reference answer: {one_line(case.answer)}")
    target = _target_in(case, view)
    if target is not None:
        lines.append(f"Target region: {box_text(target)}")
    lines += _object_lines(case, view)
    lines.append(f"Round: {round_} of {1 if stage is Stage.SINGLE else case.params.rounds}")
    lines.append(f"Task: {stage.value}")
    return lines


def box_text(box: Box) -> str:
    """Return a box as prompts print it: 4 decimals, a quarter pixel on a 2,500 px page."""
    return "[" + ", ".join(f"{value:.4f}" for value in box) + "]"


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
