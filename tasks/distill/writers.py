"""Who writes a recipe's chains: one teacher or several, each with its draws.

Every writer has parts of its own (`<name>.<part of samples>`), so that one more teacher computes
only its own rows; what the others wrote is neither asked nor read again.  A writer is named after
its model, because a name that depended on its place in the list would move rows.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sightline.errors import RecipeError
from sightline.roles import Role
from tasks.distill.case import ChainParams
from tasks.replies.parsed import Grammar

MAX_NAME_CHARS = 60
OWN_PARAMETERS = (
    "role", "temperature", "max_tokens", "structured", "extra", "grammar", "zoom_grammar",
)  # fmt: skip
"""What one of several teachers may say instead of the step."""

_NAME = re.compile(rf"(?=.{{1,{MAX_NAME_CHARS}}}\Z)[a-z0-9]+(-[a-z0-9]+)*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class TeacherChoice:
    """One of several teachers of a recipe; what is null is as the step says.

    Attributes:
        model: model name as the endpoint knows it.
        name: what its parts and crops are named after; the model's name if it is empty.
        role: teacher, or student: a student's chains are graded, never exported.
        draws: chains per sample.
        temperature: sampling temperature.
        max_tokens: most tokens of one reply.
        structured: whether the endpoint is told the form of each reply.
        extra: further request parameters, instead of the step's.
        grammar: form of its replies that answer.
        zoom_grammar: form of its replies that state a region.
    """

    model: str
    name: str | None = None
    role: Role | None = None
    draws: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    structured: bool | None = None
    extra: Mapping[str, Any] | None = None
    grammar: Grammar | None = None
    zoom_grammar: Grammar | None = None


@dataclass(frozen=True, slots=True)
class Writer:
    """One teacher with its parameters, named; `params` are those of its first draw."""

    params: ChainParams
    draws: int

    @property
    def name(self) -> str:
        """Return what its parts are named after."""
        return self.params.name

    @property
    def identity(self) -> dict[str, Any]:
        """Return what decides its chains."""
        return asdict(self.params) | {"draws": self.draws}

    def part_of(self, samples_part: str) -> str:
        """Return the part that holds its chains about a part of samples."""
        return f"{self.name}.{samples_part}"

    def each_draw(self) -> Iterator[ChainParams]:
        """Yield the parameters of every draw."""
        for number in range(self.draws):
            yield replace(self.params, draw=self.params.draw + number)


@dataclass(frozen=True, slots=True)
class DistillParams(ChainParams):
    """What a recipe says of its chains: the parameters of all, and who writes them.

    Attributes:
        teacher: model name as the endpoint knows it; or give `teachers`.
        draw: number of the first draw.
        draws: chains per sample and teacher; more than one needs a temperature.
        teachers: several models, each with what differs from the step (see below).
    """

    teacher: str = ""
    draws: int = 1
    teachers: tuple[TeacherChoice, ...] = ()

    def __post_init__(self) -> None:
        ChainParams.__post_init__(self)
        if bool(self.teacher) == bool(self.teachers):
            msg = "distill parameters: expected either teacher or teachers, found both or neither"
            raise RecipeError(msg)
        wrong = [problem for writer in self.writers() for problem in _problems(writer)]
        counts = Counter(writer.name for writer in self.writers())
        wrong += [
            f"{n} teachers are called {name!r}: give them a `name` each"
            for name, n in counts.items()
            if n > 1
        ]
        if wrong:
            msg = f"distill parameters: {'; '.join(wrong)}"
            raise RecipeError(msg)

    def writers(self) -> tuple[Writer, ...]:
        """Return who writes chains, in the order of the recipe."""
        choices = self.teachers or (TeacherChoice(self.teacher, self.name or None),)
        return tuple(self._writer(choice) for choice in choices)

    def _writer(self, choice: TeacherChoice) -> Writer:
        shared = {f.name: getattr(self, f.name) for f in fields(ChainParams)}
        own = {
            name: value for name in OWN_PARAMETERS if (value := getattr(choice, name)) is not None
        }
        named = {"teacher": choice.model, "name": choice.name or name_of(choice.model)}
        draws = self.draws if choice.draws is None else choice.draws
        return Writer(ChainParams(**shared | own | named), draws)


def name_of(model: str) -> str:
    """Return the name of a writer: its model's, as part names can hold it."""
    return _NOT_IN_A_NAME.sub("-", model.lower()).strip("-")[:MAX_NAME_CHARS].strip("-")


def _problems(writer: Writer) -> Iterator[str]:
    if not _NAME.fullmatch(writer.name):
        yield (
            f"expected a name of lower-case letters, digits and single dashes, at most "
            f"{MAX_NAME_CHARS}, found {writer.name!r}"
        )
    if writer.draws < 1:
        yield f"draws of {writer.name} must be at least 1, found {writer.draws}"
    if writer.draws > 1 and writer.params.temperature <= 0:
        yield (
            f"draws of {writer.name}: at temperature {writer.params.temperature:g} every draw is "
            "the same reply, bought again; give a temperature above 0"
        )
