"""What a reply of a chain is for: per stage a template, and the form its reply has.

A recipe may replace a template (`prompts`); one without a place for the facts would ask every
sample the same, so it is refused before anything is bought.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from tasks.asking.facts import FACTS_MARK
from tasks.asking.structure import NUMBERS, TEXT, Schema, response_format


class Stage(StrEnum):
    """What a reply is for."""

    ZOOM = "zoom"
    FINAL = "final"
    SINGLE = "single"


FORMS: Mapping[Stage, Mapping[str, Schema]] = {
    Stage.ZOOM: {"description": TEXT, "roi": NUMBERS, "reasoning": TEXT},
    Stage.FINAL: {"reasoning": TEXT, "answer": TEXT},
    Stage.SINGLE: {"description": TEXT, "reasoning": TEXT, "answer": TEXT},
}
"""Properties of the object a stage's template asks for; the answer comes after its reasons."""


def structure_of(stage: Stage) -> dict[str, Any]:
    """Return the request parameters that make an endpoint keep to the stage's form."""
    return response_format(f"{stage.value}_reply", FORMS[stage])


@cache
def shipped_template(stage: Stage) -> str:
    """Return the template that ships with the project."""
    file = files("tasks.distill").joinpath("prompts", f"{stage.value}.md")
    return file.read_text(encoding="utf-8")


def template_problems(prompts: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a recipe's own templates."""
    known = [stage.value for stage in Stage]
    unknown = sorted(set(prompts) - set(known))
    found = [f"prompts: expected stages of {known}, found {unknown}"] if unknown else []
    return found + [
        f"prompts.{stage} must hold {FACTS_MARK} once, found it {text.count(FACTS_MARK)} times"
        for stage, text in prompts.items()
        if text.count(FACTS_MARK) != 1
    ]
