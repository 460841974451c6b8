"""The reference page of recipe keys: sources, steps, limits, and the embedded teacher's errors.

Names, types and defaults come from the dataclasses that a recipe is parsed into, meanings from the
`Attributes:` of their docstrings.  A field without a meaning is an error: a key that nobody
explains must not be documented by silence.
"""

import re
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from typing import Any, Final, get_args

from flows.markdown import NOTE, grid
from flows.recipe import STEP_PARAMS
from infra.embedded_teacher.misbehaviour import Misbehaviour
from tasks.distill.writers import DistillParams, TeacherChoice
from tasks.ingest.image_facts import ImageLimits
from tasks.ingest.kinds import KINDS
from tasks.ingest.scenes.world import SceneParams

ENTRY: Final = re.compile(r"^ {8}(\w+): (.+?)(?=^ {8}\w|\Z)", re.MULTILINE | re.DOTALL)

INTRO: Final = (
    "# Recipes\n\nA recipe is a YAML file of these keys; a key that is not known is refused. "
    "`--set dotted.key=value` changes one for one build. Everything but `show` and `description` "
    "enters the fingerprints of what is built.\n\n"
)
HEAD: Final = (
    ("name", "required", "Name of the recipe: lower-case letters, digits and `-`."),
    ("flow", "required", "Which flow builds it: `visreason`."),
    ("description", "empty", "One sentence for people."),
    ("dataset", "`name`", "Name of the dataset in the lake; parts begin with it."),
    ("source", "required", "`kind` and the options of that kind, below."),
    ("images", "see below", "What an image may be."),
    ("part_rows", "`1000`", "Source rows per part, the unit of commit and of resuming."),
    ("steps", "none", "Steps by name with their parameters; a step not named is off."),
    ("embedded_teacher", "none", "Errors the embedded teacher makes on purpose."),
    ("show", "none", "Queries of `sql/queries` printed after a build; changes no row."),
)


def recipe_page() -> str:
    """Return the page.

    Raises:
        ValueError: a field of a recipe has no meaning in its docstring.
    """
    head = [[f"`{key}`", default, meaning] for key, default, meaning in HEAD]
    sections = [
        NOTE,
        INTRO,
        grid(["key", "default", "meaning"], head),
    ]
    for kind, built in KINDS.items():
        sections.append(_section(f"source: kind: {kind}", built.options))
    sections.append(_section("images", ImageLimits))
    for step, params in STEP_PARAMS.items():
        sections.append(_section(f"steps: {step}", params))
        if params is DistillParams:
            sections.append(_section("steps: distill: one of teachers", TeacherChoice))
    sections.append(_section("embedded_teacher", Misbehaviour))
    return "".join(sections)


def _section(title: str, options: type[Any]) -> str:
    meanings = _meanings(options)
    rows = [[f"`{f.name}`", _type(f), _default(f), meanings[f.name]] for f in fields(options)]
    if not rows:
        return f"\n## {title}\n\nTakes no parameters.\n"
    return f"\n## {title}\n\n" + grid(["key", "type", "default", "meaning"], rows)


def _meanings(options: type[Any]) -> dict[str, str]:
    """Return what the docstring says about each field."""
    described: list[type[Any]] = [SceneParams] if options is KINDS["scenes"].options else []
    described += reversed(options.__mro__)
    entries = [entry for one in described for entry in ENTRY.findall(one.__doc__ or "")]
    found = {name: " ".join(said.split()) for name, said in entries}
    silent = [f.name for f in fields(options) if f.name not in found]
    if silent:
        msg = (
            f"expected a meaning of every field in the docstring of {options}, found none: {silent}"
        )
        raise ValueError(msg)
    return {name: said[:1].upper() + said[1:] for name, said in found.items()}


def _type(option: "Field[Any]") -> str:
    for kind in (option.type, *get_args(option.type)):
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return "one of " + ", ".join(kind) + ("" if kind is option.type else " or null")
    named = option.type.__name__ if isinstance(option.type, type) else str(option.type)
    if named.startswith("typing.Literal"):
        return "one of " + ", ".join(option.type.__args__)  # type: ignore[union-attr]
    plain = named.replace("collections.abc.", "").replace("typing.", "")
    of_yaml = {"Mapping": "mapping", "tuple": "list"}
    return of_yaml.get(plain.split("[")[0], plain.replace(" | None", " or null"))


def _default(option: "Field[Any]") -> str:
    if option.default is MISSING:
        return "required" if option.default_factory is MISSING else "`{}`"
    if option.default is None:
        return "null"
    if option.default in ("", ()):
        return "empty"
    value = str(option.default).lower() if isinstance(option.default, bool) else option.default
    return f"`{value}`"
