"""Which columns of a benchmark's file hold what: found by their clear names, or given.

A file in which neither a text nor an image column is found is refused with the list of its
columns: a benchmark that was read wrongly would certify a lake as clean.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sightline.errors import SourceError

ITEM: Final = ("id", "question_id", "qid", "sample_id", "pid", "uid", "item_id", "index", "idx")
QUESTION: Final = (
    "question", "query", "prompt", "problem", "instruction", "text", "sentence", "conversations",
    "messages",
)  # fmt: skip
CHOICES: Final = ("choices", "options")
ANSWER: Final = ("answer", "answers", "gold", "target", "label")
MORE_TEXTS: Final = ("context", "passage", "solution", "rationale", "explanation")
IMAGE: Final = (
    "image", "images", "img", "picture", "image_path", "image_file", "image_name", "file_name",
    "decoded_image",
)  # fmt: skip
NUMBERED_IMAGE: Final = re.compile(r"image_?\d{1,2}", re.IGNORECASE)
LETTERS: Final = tuple("ABCDEFGHIJ")


@dataclass(frozen=True, slots=True)
class Columns:
    """Column names that a user gives; empty means: find them.

    Attributes:
        texts: the question first, then other texts of the item.
        images: columns of image names, bytes or data URIs.
    """

    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file; null or empty for what it does not have."""

    item: str | None
    question: str | None
    choices: tuple[str, ...]
    answer: str | None
    texts: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that is read, once."""
        single = [name for name in (self.item, self.question, self.answer) if name is not None]
        return tuple(dict.fromkeys([*single, *self.choices, *self.texts, *self.images]))


def find_layout(names: Iterable[str], given: Columns, place: str) -> Layout:
    """Return the layout of a file with the columns `names`.

    Raises:
        SourceError: a given column is missing, or no text and no image column was found.
    """
    found = list(dict.fromkeys(names))
    missing = sorted(set(given.texts + given.images) - set(found))
    if missing:
        msg = f"expected columns {missing} in {place}, found {found}"
        raise SourceError(msg)
    layout = Layout(
        item=_first(found, ITEM),
        question=given.texts[0] if given.texts else _first(found, QUESTION),
        choices=_choices(found),
        answer=_first(found, ANSWER),
        texts=given.texts[1:] or tuple(filter(None, (_first(found, (n,)) for n in MORE_TEXTS))),
        images=given.images or _images(found),
    )
    if layout.question is None and not layout.texts and not layout.images:
        msg = (
            f"expected a text column ({', '.join(QUESTION)}) or an image column "
            f"({', '.join(IMAGE)}) in {place}, found {found}; name them with --text-column and "
            "--image-column"
        )
        raise SourceError(msg)
    return layout


def _first(found: Sequence[str], known: Sequence[str]) -> str | None:
    by_name = {name.lower(): name for name in reversed(found)}
    return next((by_name[name] for name in known if name in by_name), None)


def _choices(found: Sequence[str]) -> tuple[str, ...]:
    """Return one column of lists, or a column per option, named by its letter."""
    listed = _first(found, CHOICES)
    if listed is not None:
        return (listed,)
    lettered = tuple(letter for letter in LETTERS if letter in found)
    return lettered if lettered[:2] == LETTERS[:2] else ()


def _images(found: Sequence[str]) -> tuple[str, ...]:
    single = _first(found, IMAGE)
    numbered = [name for name in found if NUMBERED_IMAGE.fullmatch(name)]
    return tuple(dict.fromkeys([*([] if single is None else [single]), *numbered]))
