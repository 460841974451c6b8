"""An accepted trace, and its forms for training: `visreason` and `llava`.

Boxes are always fractions of the view they were given in, and every row says so.  In both forms
the number of image placeholders equals the number of images named, one per look: the original
first, then the crop of every round (arXiv:2511.17731; rows after arXiv:2410.16198).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

IMAGE: Final = "<image>"
ZOOM_IN: Final = "<|image_zoomin|>"
BOX_START: Final = "<|box_start|>"
BOX_END: Final = "<|box_end|>"
BOX_CONVENTION: Final = "[x0, y0, x1, y1] in fractions (0..1) of the view of the same round"
DECIMALS: Final = 4

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """One round: what was shown and said; `roi` is None where no region could be used."""

    image_id: str
    view_box: tuple[float, ...] | None
    description: str | None
    roi: tuple[float, ...] | None
    reasoning: str | None


@dataclass(frozen=True, slots=True)
class Trace:
    """One row of `accepted_traces`; `looks` ends with the one that is answered."""

    chain_id: str
    sample_id: str
    dataset: str
    question: str
    choices: tuple[str, ...]
    answer: str
    teacher: str
    licence: str | None
    looks: tuple[Look, ...]

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Return the image of every look, in order; a kept view is shown again."""
        return tuple(look.image_id for look in self.looks)


def trace_of(row: Row) -> Trace:
    """Return a row of `accepted_traces` as a trace."""
    final = Look(
        row["final_view_image_id"] or row["image_id"],
        _box(row["final_view_box"]),
        row["final_description"],
        None,
        row["final_reasoning"],
    )
    zooms = [
        Look(
            look["view_image_id"] or row["image_id"],
            _box(look["view_box"]),
            look["description"],
            _box(look["roi"]),
            look["reasoning"],
        )
        for look in row["rounds"]
    ]
    return Trace(
        chain_id=row["chain_id"],
        sample_id=row["sample_id"],
        dataset=row["dataset"],
        question=row["question"],
        choices=tuple(row["choices"] or ()),
        answer=row["answer"],
        teacher=row["teacher"],
        licence=_licence(row["licence"], row["image_licence"]),
        looks=(*zooms, final),
    )


def _licence(row: str | None, image: str | None) -> str | None:
    """Return what is stated of row and image; both, where they differ."""
    stated = [text for text in (row, image) if text]
    return "; image: ".join(dict.fromkeys(stated)) or None


def _box(values: Sequence[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(round(value, DECIMALS) for value in values)


def visreason_row(trace: Trace, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the trace with one object per round, and the answer.

    Args:
        trace: what to write.
        files: file name by image id.
    """
    return {
        "id": trace.chain_id,
        "sample_id": trace.sample_id,
        "dataset": trace.dataset,
        "images": [files[image] for image in trace.image_ids],
        "question": trace.question,
        "choices": list(trace.choices),
        "rounds": [_visreason_round(look, files) for look in trace.looks],
        "Answer": trace.answer,
        "box_convention": BOX_CONVENTION,
        "teacher": trace.teacher,
        "licence": trace.licence,
    }


def _visreason_round(look: Look, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "image": files[look.image_id],
        "View": look.view_box and list(look.view_box),
        "Description": look.description,
        "RoI": look.roi and list(look.roi),
        "Reasoning": look.reasoning,
    }


def llava_row(trace: Trace, files: Mapping[str, str]) -> dict[str, Any]:
    """Return the trace as a conversation: each look a human turn, each reply a model turn.

    `image` is a file name for one look and a list for several, as LLaVA's loaders take it.
    Placeholders that stand in dataset or teacher text are taken out, or their number would lie.
    """
    names = [files[image] for image in trace.image_ids]
    turns: list[dict[str, str]] = []
    for number, look in enumerate(trace.looks):
        is_last = number == len(trace.looks) - 1
        asked = f"{IMAGE}\n{_asked(trace)}" if number == 0 else f"{ZOOM_IN}\n{IMAGE}"
        turns.append({"from": "human", "value": asked})
        turns.append({"from": "gpt", "value": _replied(look, trace.answer if is_last else None)})
    image: str | list[str] = names[0] if len(names) == 1 else names
    return {"id": trace.chain_id, "image": image, "conversations": turns}


def _asked(trace: Trace) -> str:
    options = [f"({chr(ord('A') + n)}) {text}" for n, text in enumerate(trace.choices)]
    return "\n".join(_without_placeholders(line) for line in (trace.question, *options))


def _replied(look: Look, answer: str | None) -> str:
    said = [_without_placeholders(text) for text in (look.description, look.reasoning) if text]
    if look.roi is not None:
        x0, y0, x1, y1 = look.roi
        said.append(f"{BOX_START}({x0},{y0}),({x1},{y1}){BOX_END}")
    if answer is not None:
        said.append(f"### Answer: {_without_placeholders(answer)}")
    return "\n".join(said)


def _without_placeholders(text: str) -> str:
    """Return `text` without the markers that mean something to a trainer."""
    before = None
    while text != before:  # taking one out may join the halves of another
        before = text
        for marker in (IMAGE, ZOOM_IN, BOX_START, BOX_END):
            text = text.replace(marker, "")
    return text
