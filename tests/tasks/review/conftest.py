"""Finished chains and a scripted model for second asks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from infra.teacher.types import Request, Response
from sightline.outcomes import Outcome
from tasks.review.case import Reasoning, ReviewCase
from tasks.review.rounds import Reviewing, ReviewItem, ReviewResult, run_review


@pytest.fixture
def make_case() -> Callable[..., ReviewCase]:
    def make(**changes: Any) -> ReviewCase:
        case = ReviewCase(
            chain_id="chain_1",
            sample_id="sample_1",
            writer="author",
            question="How many cups?",
            choices=(),
            known_answer="4",
            answer_kind="number",
            given_answer="4",
            reasonings=(
                Reasoning(1, "I look at the cup ([0.1, 0.1, 0.3, 0.3], depth 0.83)."),
                Reasoning(2, "There are\nfour."),
            ),
            image_id="image_1",
            target=(0.25, 0.25, 0.75, 0.75),
        )
        return replace(case, **changes)

    return make


@dataclass
class ScriptedModel:
    """Gives its replies one after the other, the last one for ever."""

    replies: list[str | Outcome]
    requests: list[Request] = field(default_factory=list)

    async def ask(self, request: Request) -> Response:
        said = self.replies[min(len(self.requests), len(self.replies) - 1)]
        self.requests.append(request)
        outcome = said if isinstance(said, Outcome) else Outcome.SUCCESS
        text = "" if isinstance(said, Outcome) else said
        return Response(
            request_key=request.request_key, draw=request.draw, text=text, thinking=None,
            raw_text=text, outcome=outcome, finish_reason="stop", tokens_in=1, tokens_out=1,
            tokens_reasoning=None, cost_usd=0.001, latency_ms=1.0, reused=False,
        )  # fmt: skip


@pytest.fixture
def review() -> Callable[..., tuple[ReviewResult, ScriptedModel]]:
    """Ask one item of a review; `load` gives the bytes of a stored image."""

    def ask(
        reviewing: Reviewing, case: ReviewCase, *replies: str | Outcome,
        load: Callable[[str], bytes] = lambda _image_id: b"", draw: int = 0,
    ) -> tuple[ReviewResult, ScriptedModel]:  # fmt: skip
        model = ScriptedModel(list(replies))
        item = ReviewItem(case, draw)
        asked = run_review(reviewing, item, model, load, lambda: None)
        return asyncio.run(asked), model

    return ask
