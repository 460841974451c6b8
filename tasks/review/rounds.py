"""One review asked to its end: a picture, a first ask and at most one repair."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.images.decode import ImageProblem
from infra.teacher.types import Asker, ImagePart, Request, Response
from sightline.errors import Failure
from sightline.outcomes import Outcome
from sightline.storable import storable
from tasks.asking.in_order import GoOn
from tasks.asking.pictures import covered_picture, whole_picture
from tasks.review.asks import (
    ReviewAsk,
    Stage,
    first_ask,
    parameters_of,
    stage_of,
    template_of,
    why_skipped,
)
from tasks.review.case import ReviewCase
from tasks.review.kinds import Review
from tasks.review.params import ReviewParams
from tasks.review.replies import Unreadable, parse_reply

LoadImage = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Reviewing:
    """A review as a recipe asks for it."""

    review: Review
    params: ReviewParams

    @property
    def stage(self) -> Stage:
        """Return which ask it makes."""
        return stage_of(self.review, self.params)

    @property
    def template(self) -> str:
        """Return the template it fills in."""
        return template_of(self.stage, self.params)

    def model_for(self, case: ReviewCase) -> str:
        """Return who is asked about a chain."""
        return self.params.teacher or case.writer


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One draw of a review about one chain."""

    case: ReviewCase
    draw: int


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """What became of an item.

    Attributes:
        exchanges: each ask with its response; the last one counts.
        shown: id of the stored image that was shown as it is; null for none and for a covered one.
        skipped: why nothing was asked.
        problem: code of `skipped`.
    """

    item: ReviewItem
    exchanges: tuple[tuple[ReviewAsk, Response], ...]
    shown: str | None = None
    skipped: str | None = None
    problem: Failure = Failure.ASK_SKIPPED

    @property
    def responses(self) -> Sequence[Response]:
        """Return the responses, in the order of the asks."""
        return [response for _, response in self.exchanges]


async def run_review(
    reviewing: Reviewing, item: ReviewItem, teacher: Asker, load: LoadImage, go_on: GoOn
) -> ReviewResult:
    """Return what became of one item.

    Raises:
        TeacherError: the endpoint as a whole is unusable, or the budget is spent.
    """
    skipped = why_skipped(item.case, reviewing.stage)
    if skipped is not None:
        return ReviewResult(item, (), skipped=skipped)
    try:
        picture = await asyncio.to_thread(_picture, reviewing, item.case, load)
    except ImageProblem as problem:
        return ReviewResult(item, (), skipped=problem.detail, problem=problem.code)
    shown = picture.image_id if picture and picture.image_id == item.case.image_id else None
    exchanges: list[tuple[ReviewAsk, Response]] = []
    ask: ReviewAsk | None = first_ask(item.case, reviewing.stage, reviewing.template)
    while ask is not None:
        go_on()
        response = await teacher.ask(_request(reviewing, item, ask, picture))
        exchanges.append((ask, response))
        ask = _repair(reviewing, ask, response)
    return ReviewResult(item, tuple(exchanges), shown)


def _repair(reviewing: Reviewing, ask: ReviewAsk, response: Response) -> ReviewAsk | None:
    """Return the ask that sends a reply back, null if it is readable or was sent back already."""
    if response.outcome is not Outcome.SUCCESS or len(ask.turns) >= reviewing.params.repair:
        return None
    text = storable(response.raw_text)
    reply = parse_reply(ask.stage, text)
    return ask.repaired(text, reply.expected) if isinstance(reply, Unreadable) else None


def _picture(reviewing: Reviewing, case: ReviewCase, load: LoadImage) -> ImagePart | None:
    most = reviewing.params.max_side_px
    if reviewing.stage is Stage.JUDGE and case.image_id is not None:
        return whole_picture(case.image_id, load(case.image_id), most)
    if reviewing.stage is Stage.MASKED and case.image_id is not None and case.target is not None:
        return covered_picture(load(case.image_id), case.target, most)
    return None


def _request(
    reviewing: Reviewing, item: ReviewItem, ask: ReviewAsk, picture: ImagePart | None
) -> Request:
    return Request(
        model=reviewing.model_for(item.case),
        system=None,
        content=(ask.prompt,) if picture is None else (picture, ask.prompt),
        parameters=parameters_of(ask.stage, reviewing.params),
        prompt_id=ask.prompt_id,
        subject_id=item.case.chain_id,
        draw=item.draw,
        turns=ask.turns,
        step=reviewing.review.value,
    )
