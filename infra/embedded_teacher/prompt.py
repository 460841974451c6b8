"""What the embedded teacher understands of a request's text: its labelled lines.

Labels stand at the start of a line; of a label that occurs twice the last counts for `Task` and
`Round` (they close the prompt) and the first for the others, so a question that quotes a label
does not change the task.  Boxes keep their text as well, for citing them exactly as given.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from sightline.boxes import Box, as_box

Task = Literal["zoom", "final", "single", "judge", "rewrite", "blind", "masked"]
TASKS: Final[dict[str, Task]] = {task: task for task in get_args(Task)}

_BOX: Final = r"\[\s*([^\[\]]+?)\s*\]"
_OBJECT: Final = re.compile(
    rf"^-\s*(?P<id>[^.\s]+)\.\s+(?P<name>.+?)\s+{_BOX}(?:\s+depth\s+(?P<depth>[0-9.]+))?\s*$",
    re.MULTILINE,
)
_REASONING: Final = re.compile(r"^Reasoning \d{1,3}:[ \t]*(.*)", re.MULTILINE)
_CHOICE: Final = re.compile(r"\(([A-Z])\)\s*(.*?)\s*(?=\([A-Z]\)|$)")


@dataclass(frozen=True, slots=True)
class SeenObject:
    """One line of the object list; `box` in fractions of the view, `depth` larger = nearer."""

    name: str
    box: Box
    box_text: str
    depth: float | None
    depth_text: str | None

    @property
    def cited(self) -> str:
        """Return the object as a rationale cites it: `name ([x1,y1,x2,y2], depth 0.83)`."""
        depth = f", depth {self.depth_text}" if self.depth_text else ""
        return f"{self.name} ([{self.box_text}]{depth})"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The labelled lines of a request; null or empty where a line is absent."""

    task: Task
    question: str
    choices: tuple[tuple[str, str], ...]
    reference: str | None
    target: Box | None
    objects: tuple[SeenObject, ...]
    round: int
    given: str = ""
    reasonings: tuple[str, ...] = ()


def read_prompt(text: str) -> Prompt:
    """Return the labelled lines of `text`; total on any input."""
    task = _last(rf"Task:\s*({'|'.join(TASKS)})\b", text)
    target = _first(rf"Target region:\s*{_BOX}", text)
    rounds = _last(r"Round:\s*(\d{1,3})\b", text)
    return Prompt(
        task=TASKS[task or "single"],
        question=_first(r"Question:[ \t]*(.*)", text) or "",
        choices=tuple(_CHOICE.findall(_first(r"Choices:[ \t]*(.*)", text) or "")),
        reference=_first(r"Reference answer:[ \t]*(.*)", text) or None,
        target=_box(target) if target else None,
        objects=tuple(o for match in _OBJECT.finditer(text) if (o := _object(match))),
        round=int(rounds) if rounds else 1,
        given=_first(r"Given answer:[ \t]*(.*)", text) or "",
        reasonings=tuple(match.group(1).strip() for match in _REASONING.finditer(text)),
    )


def _first(pattern: str, text: str) -> str | None:
    match = re.search(rf"^{pattern}", text, re.MULTILINE)
    return match.group(1).strip() if match else None


def _last(pattern: str, text: str) -> str | None:
    found = re.findall(rf"^{pattern}", text, re.MULTILINE)
    return str(found[-1]) if found else None


def _box(text: str) -> Box | None:
    try:
        return as_box([float(number) for number in text.split(",")])
    except ValueError:
        return None


def _object(match: re.Match[str]) -> SeenObject | None:
    box_text, depth_text = match.group(3), match.group("depth")
    box = _box(box_text)
    if box is None:
        return None
    try:
        depth = float(depth_text) if depth_text else None
    except ValueError:
        return None
    return SeenObject(
        name=match.group("name"),
        box=box,
        box_text=",".join(number.strip() for number in box_text.split(",")),
        depth=depth,
        depth_text=depth_text,
    )
