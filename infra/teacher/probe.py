"""Does an endpoint see pictures at all: asked once per endpoint and model, before money is spent.

Some servers drop images without a word and answer from the text, and whole runs were lost to it.
The probe is a picture of four random colours, so no cache can know the answer; it is a paid call
like any other and stands in the ledger under the step `probe`.  What proves nothing (cut, empty,
an error) is asked once more and then only warned about: a probe must not stop a run that would
have worked.
"""

import asyncio
import hashlib
import logging
import random
import re
from dataclasses import dataclass, field
from typing import Final

from infra.teacher.probe_image import COLOURS, QUESTION, SQUARES, choose_colours, render
from infra.teacher.types import TOKEN_LIMITS, ImagePart, Request, Response
from sightline.errors import TeacherError
from sightline.outcomes import Outcome

logger = logging.getLogger(__name__)

STEP: Final = "probe"
PROMPT_ID: Final = hashlib.sha256(QUESTION.encode()).hexdigest()
ENOUGH: Final = 3
"""Colours right, in their places, of four."""
TRIES: Final = 2
COPIED: Final = frozenset(
    {
        *TOKEN_LIMITS,
        "temperature",
        "top_p",
        "reasoning_effort",
        "chat_template_kwargs",
        "extra_body",
    }
)
"""Parameters the probe takes over from the call it goes before; the endpoint may insist on them."""
BYTES_PER_TOKEN: Final = 3.0
"""No usual tokenizer needs more tokens than that for plain English."""
_WORDS: Final = re.compile(rf"\b({'|'.join(COLOURS)})\b")


@dataclass(slots=True)
class Probe:
    """What is known of one model at one endpoint."""

    address: str
    tries: int = 0
    is_over: bool = False
    colours: tuple[str, ...] = ()
    _running: asyncio.Event | None = field(default=None, repr=False)

    @property
    def is_running(self) -> bool:
        """Return whether somebody asks right now."""
        return self._running is not None

    async def wait(self) -> None:
        """Wait until whoever asks has asked."""
        if self._running is not None:
            await self._running.wait()

    def begin(self, call: Request, rng: random.Random) -> Request:
        """Return the question to ask in place of `call`; end it with `finish` or `abandon`."""
        self._running = asyncio.Event()
        self.colours = choose_colours(rng)
        return question(self.colours, call)

    def abandon(self) -> None:
        """Let somebody else ask."""
        if self._running is not None:
            self._running.set()
            self._running = None

    def finish(self, response: Response | None, model: str) -> None:
        """Take in the answer; null is none.

        Raises:
            TeacherError: the model does not see the picture.
        """
        self.abandon()
        self.tries += 1
        if response is None or response.outcome is not Outcome.SUCCESS:
            self._without_answer(response, model)
            return
        self.is_over = True
        if colours_right(response.text, self.colours) < ENOUGH:
            raise TeacherError(self._blindness(response, model))

    def _without_answer(self, response: Response | None, model: str) -> None:
        if self.tries < TRIES:
            return
        self.is_over = True
        found = response.outcome.value if response else Outcome.ERROR.value
        logger.warning(
            "could not find out whether %s at %s sees images (%s); look at the first answers",
            model,
            self.address,
            found,
        )

    def _blindness(self, response: Response, model: str) -> str:
        text_tokens = len(QUESTION) / BYTES_PER_TOKEN
        count = response.tokens_in
        evidence = "" if count is None else f", and billed {count} prompt tokens"
        if count is not None and count <= text_tokens:
            evidence += ", no more than the words alone take"
        return (
            f"{model} at {self.address} ignores images: shown squares in "
            f"{', '.join(self.colours)}, it said {response.text[:200]!r}{evidence}; serve a model "
            "with vision there, or set SIGHTLINE_TEACHER_PROBE=false to go on regardless"
        )


class Probes:
    """The probes of a run; used in one event loop."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._rng = random.SystemRandom()
        self._probes: dict[tuple[str, str], Probe] = {}

    def needed(self, endpoint: str, address: str, request: Request) -> Probe | None:
        """Return the probe to wait for before `request` is sent, null if it may go."""
        if not self._is_on or not any(True for _ in request.images):
            return None
        name = (endpoint, request.model)
        probe = self._probes.setdefault(name, Probe(address))
        return None if probe.is_over else probe

    def begin(self, probe: Probe, call: Request) -> Request:
        """Return the question to ask in place of `call`, in colours nobody can know."""
        return probe.begin(call, self._rng)


def question(colours: tuple[str, ...], call: Request) -> Request:
    """Return the probe for the model of `call`."""
    data = render(colours)
    part = ImagePart(hashlib.sha256(data).hexdigest(), data, "image/png")
    return Request(
        model=call.model,
        system=None,
        content=(QUESTION, part),
        parameters={k: v for k, v in call.parameters.items() if k in COPIED},
        prompt_id=PROMPT_ID,
        subject_id=STEP,
        step=STEP,
    )


def colours_right(reply: str, colours: tuple[str, ...]) -> int:
    """Return how many colours a reply has in their places; the better of its first and last four.

    A model may think aloud or repeat the list of words before it answers.
    """
    words: list[str] = _WORDS.findall(reply.lower())
    starts = (words[:SQUARES], words[-SQUARES:])
    return max(sum(a == b for a, b in zip(w, colours, strict=False)) for w in starts)
