"""Results of second asks as rows: replies, and why there is none.

The reply of a second ask is about a chain, so its subject is the chain; a chain of its own holds
the reply and its repair.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sightline.errors import Failure, clip_detail
from sightline.ids import content_id
from sightline.provenance import fingerprint_of
from sightline.storable import storable
from tasks.asking.outcomes import CALL_FAILURES
from tasks.asking.rows import reply_columns
from tasks.review.kinds import ROLES
from tasks.review.rounds import Reviewing, ReviewResult


def generation_rows(reviewing: Reviewing, result: ReviewResult) -> Iterator[dict[str, Any]]:
    """Yield a `generations` row per reply; what the reply is about is the reviewed chain."""
    case, draw = result.item.case, result.item.draw
    asking = fingerprint_of(reviewing.params.asking())
    review_id = content_id("review", reviewing.review.value, case.chain_id, asking, str(draw))
    for ask, response in result.exchanges:
        turn = len(ask.turns)
        yield {
            "generation_id": content_id(
                "generation", response.request_key, str(response.draw), review_id, str(turn)
            ),
            "chain_id": review_id,
            "subject_id": case.chain_id,
            "role": ROLES[reviewing.review].value,
            "teacher": reviewing.model_for(case),
            "prompt_id": ask.prompt_id,
            "round": 1,
            "stage": ask.stage.value,
            "view_image_id": result.shown,
            "turn": turn or None,
        } | reply_columns(response)


def failure_rows(reviewing: Reviewing, result: ReviewResult) -> Iterator[Mapping[str, str]]:
    """Yield why nothing was asked, once per chain, and what became of failed calls."""
    step = reviewing.review.value
    if result.skipped is not None and result.item.draw == 0:
        yield _failure(step, result.item.case.chain_id, result.problem, result.skipped)
    for row, (_, response) in zip(
        generation_rows(reviewing, result), result.exchanges, strict=True
    ):
        code = CALL_FAILURES.get(response.outcome)
        if code is not None:
            yield _failure(step, row["generation_id"], code, response.detail or response.outcome)


def _failure(step: str, item_id: str, code: Failure, detail: str) -> dict[str, str]:
    said = clip_detail(storable(detail))
    return {"step": step, "item_id": item_id, "code": code.value, "detail": said}
