"""One item of a benchmark, wherever it was read: texts as they stand, pictures not yet decoded."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from tasks.decontaminate.gallery import Look
from tasks.ingest.source import ImageRef, Problem

IMAGE_MARKS: Final = re.compile(r"<image(?:[ _]?\d+)?>")


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What a picture is compared by.

    Attributes:
        pixel_sha: of its pixels.
        phash: 32 bytes of perceptual hash.
        look: its views; null where the source tells of them apart, see `Source.looks`.
    """

    pixel_sha: str
    phash: bytes
    look: Look | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of an item; `data` only where it stands in the table itself."""

    ref: ImageRef
    data: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a benchmark.

    Attributes:
        name: the benchmark's own name for it, or its file and place.
        question: the question alone.
        choices: its options in their order.
        answers: known answers; for a letter, the option it names too.
        texts: other texts: context, solution, rationale.
        pictures: in order.
        unread: names of pictures that are not there.
        problems: why something of it could not be read.
    """

    name: str
    question: str | None = None
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    unread: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def content(self) -> list[Any]:
        """Return what decides how it matches, as JSON."""
        pictures = [picture.ref.content_key for picture in self.pictures]
        said = [self.name, self.question, self.choices, self.answers, self.texts]
        return [*said, pictures, self.unread]


def bare(question: str) -> str:
    """Return a question without the marks that say where its pictures stand."""
    return IMAGE_MARKS.sub(" ", question).strip()
