"""Finished chains as payload tables: replies, the crops that were shown, and what failed.

This step reports what became of *calls*; whether a reply says anything usable is reported where it
is parsed (`tasks.distill.replay`), so that no trouble is counted twice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.errors import Failure, clip_detail
from sightline.ids import content_id
from sightline.schemas import FAILURES, GENERATIONS, IMAGES
from sightline.storable import storable
from tasks.asking.outcomes import CALL_FAILURES
from tasks.asking.rows import reply_columns
from tasks.distill.chain import NEVER_ASKED
from tasks.distill.rounds import ChainResult, Exchange

DISTILL = "distill"


@dataclass(frozen=True, slots=True)
class ChainTables:
    """Payload tables of some finished chains."""

    generations: pa.Table
    images: pa.Table
    failures: pa.Table


def tables_of(results: Sequence[ChainResult], seen: set[str]) -> ChainTables:
    """Return the rows of `results`, in their order.

    Args:
        results: finished chains.
        seen: crops and samples without a view already written for this part, which several draws
            share; those of `results` are added.
    """
    return ChainTables(
        GENERATIONS.rows(_generation(r, e) for r in results for e in r.exchanges),
        IMAGES.rows(_new_crops(results, seen)),
        FAILURES.rows(row for result in results for row in _failures(result, seen)),
    )


def generation_id(chain_id: str, request_key: str, draw: int, round_: int) -> str:
    """Return the id of one reply in one chain."""
    return content_id("generation", request_key, str(draw), chain_id, str(round_))


def _generation(result: ChainResult, exchange: Exchange) -> dict[str, Any]:
    case, ask, response = result.case, exchange.ask, exchange.response
    return {
        "generation_id": _id_of(result, exchange),
        "chain_id": case.chain_id,
        "subject_id": case.sample_id,
        "role": case.params.role.value,
        "teacher": case.params.teacher,
        "prompt_id": ask.prompt_id,
        "round": ask.round,
        "stage": ask.stage.value,
        "view_image_id": exchange.view_image_id,
        "view_box": list(ask.view_box),
        "turn": ask.turn or None,
    } | reply_columns(response)


def _id_of(result: ChainResult, exchange: Exchange) -> str:
    response = exchange.response
    chain_id = result.case.chain_id
    return generation_id(chain_id, response.request_key, response.draw, exchange.ask.round)


def _new_crops(results: Iterable[ChainResult], seen: set[str]) -> Iterator[Mapping[str, Any]]:
    for result in results:
        for exchange in result.exchanges:
            row = exchange.crop.row if exchange.crop else None
            if row is not None and exchange.view_image_id not in seen:
                seen.add(exchange.view_image_id)
                yield row


def _failures(result: ChainResult, seen: set[str]) -> Iterator[dict[str, str]]:
    for exchange in result.exchanges:
        code = CALL_FAILURES.get(exchange.response.outcome)
        if code is not None:
            ask, response = exchange.ask, exchange.response
            detail = f"{ask.stage} round {ask.round}: {response.detail or response.outcome}"
            yield _failure(_id_of(result, exchange), code, detail)
    code, sample_id = _never_shown(result), result.case.sample_id
    if code is not None and sample_id not in seen:
        seen.add(sample_id)
        yield _failure(sample_id, code, result.finished.detail)


def _never_shown(result: ChainResult) -> Failure | None:
    """Return why a view of the sample was not shown, null if all were."""
    return result.view_problem or NEVER_ASKED.get(result.finished.stop_reason)


def _failure(item_id: str, code: Failure, detail: str) -> dict[str, str]:
    detail = clip_detail(storable(detail))
    return {"step": DISTILL, "item_id": item_id, "code": code.value, "detail": detail}
