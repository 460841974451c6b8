"""Stored replies to steps, without asking anybody: the chain is walked again (ADR 0007).

A better parser or another rule may lead to another view than the one that was shown.  What was
said about a view that would not be shown today cannot be used, so the chain is cut there and says
so; the next run of the distil step asks for what is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.boxes import Box, as_box, from_view
from sightline.errors import Failure, clip_detail
from sightline.outcomes import Outcome
from sightline.schemas import FAILURES, STEPS
from sightline.storable import storable
from tasks.distill.asks import Ask
from tasks.distill.case import ChainCase
from tasks.distill.chain import Course, Finished, Reply, StopReason, Turn, frame_of, walk
from tasks.distill.parse import FinalReply, ZoomReply
from tasks.distill.zoom import clean_region
from tasks.replies.object_tuples import Cite, cites_in
from tasks.replies.stated_boxes import StatedBox

PARSE = "parse"

_VIEW_SLACK = 1e-9
"""Views lie on the pixel grid; anything beyond float noise is another view."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Payload tables of the parse step."""

    steps: pa.Table
    failures: pa.Table


def steps_of(generations: pa.Table, cases: Iterable[ChainCase]) -> Parsed:
    """Return the steps that the stored replies amount to; row order does not matter.

    Args:
        generations: rows of `generations`, whole chains.
        cases: of their samples and draws; a chain without a case is a failure.
    """
    by_draw = {(case.sample_id, case.params.draw): case for case in cases}
    steps: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for chain_id, replies in _chains(generations):
        case = by_draw.get((replies[0]["subject_id"], replies[0]["draw"]))
        if case is None:
            failures.append(_incomplete(chain_id, "its sample is not among the samples read"))
            continue
        more_steps, more_failures = _replay(chain_id, case, replies)
        steps += more_steps
        failures += more_failures
    return Parsed(STEPS.rows(steps), FAILURES.rows(failures))


def _chains(generations: pa.Table) -> list[tuple[str, list[dict[str, Any]]]]:
    chains: dict[str, list[dict[str, Any]]] = {}
    wanted = [
        "generation_id", "chain_id", "subject_id", "draw", "round", "turn", "stage",
        "view_image_id", "view_box", "raw_text", "thinking", "outcome",
    ]  # fmt: skip
    for row in generations.select(wanted).to_pylist():
        chains.setdefault(row["chain_id"], []).append(row)
    for replies in chains.values():
        replies.sort(key=lambda row: (row["round"], row["turn"] or 0, row["generation_id"]))
    return sorted(chains.items())


def _replay(
    chain_id: str, case: ChainCase, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    replies = [Reply(row["raw_text"], Outcome(row["outcome"]), row["thinking"]) for row in rows]
    course = walk(case, replies)
    kept = next(
        (i for i, (t, row) in enumerate(zip(course.turns, rows, strict=False)) if _differs(t, row)),
        len(course.turns),
    )
    steps: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for turn, later, row in zip(course.turns[:kept], _next_asks(course), rows, strict=False):
        if later is None or later.round != turn.ask.round:  # else it was sent back for repair
            steps += _numbered(chain_id, case, turn, row)
        failures += _problems(turn, row)
    cut = _cut_detail(course.turns, course.then, rows, kept)
    return steps, failures + ([_incomplete(chain_id, cut)] if cut is not None else [])


def _next_asks(course: Course) -> list[Ask | None]:
    """Return what was asked after each turn, null after the last."""
    last = course.then if isinstance(course.then, Ask) else None
    return [*(turn.ask for turn in course.turns[1:]), last]


def _differs(turn: Turn, row: Mapping[str, Any]) -> bool:
    stored = as_box(row["view_box"] or ())
    same_view = stored is not None and all(
        abs(a - b) <= _VIEW_SLACK for a, b in zip(stored, turn.ask.view_box, strict=True)
    )
    same_ask = (turn.ask.stage.value, turn.ask.turn) == (row["stage"], row["turn"] or 0)
    return not same_ask or not same_view


def _cut_detail(
    turns: Sequence[Turn], then: Ask | Finished, rows: Sequence[Mapping[str, Any]], kept: int
) -> str | None:
    """Return why the chain has no answer, None if it has one."""
    if kept < len(turns):
        ask, row = turns[kept].ask, rows[kept]
        return (
            f"round {ask.round}: expected {ask.stage} on {_rounded(ask.view_box)}, "
            f"found a reply to {row['stage']} on {_rounded(row['view_box'])}"
        )
    if isinstance(then, Ask):
        return f"the replies end before the {then.stage} of round {then.round}"
    return None if then.stop_reason is StopReason.ANSWERED else f"{then.stop_reason}: {then.detail}"


def _rounded(box: Sequence[float] | None) -> str:
    return "no view" if box is None else str([round(value, 4) for value in box])


def _problems(turn: Turn, row: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield what is wrong with what was said; failed calls were reported when they were made."""
    if turn.problem is not None and turn.parsed is not None:
        yield _failure(row["generation_id"], turn.problem.code, turn.problem.detail)


def _incomplete(chain_id: str, detail: str) -> dict[str, str]:
    return _failure(chain_id, Failure.CHAIN_INCOMPLETE, detail)


def _failure(item_id: str, code: Failure, detail: str) -> dict[str, str]:
    detail = clip_detail(storable(detail))
    return {"step": PARSE, "item_id": item_id, "code": code.value, "detail": detail}


def _numbered(
    chain_id: str, case: ChainCase, turn: Turn, row: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for position, step in enumerate(_steps(case, turn, row)):
        yield {
            "generation_id": row["generation_id"],
            "position": position,
            "chain_id": chain_id,
            "sample_id": case.sample_id,
            "round": turn.ask.round,
            **step,
        }


def _steps(case: ChainCase, turn: Turn, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    parsed, view_id = turn.parsed, row["view_image_id"]
    if parsed is None:
        return
    yield {"kind": "image", "image_id": view_id}
    if not isinstance(parsed, ZoomReply | FinalReply):
        return
    if parsed.description is not None:
        yield {"kind": "description", "text": parsed.description}
    if isinstance(parsed, ZoomReply):
        yield _roi(turn, parsed, view_id)
    if parsed.reasoning is not None:
        yield {"kind": "reasoning", "text": parsed.reasoning}
    if isinstance(parsed, FinalReply):
        yield {"kind": "answer", "text": parsed.answer}
    said = "\n".join(text for text in (parsed.description, parsed.reasoning) if text)
    names = [scene_object.category for scene_object in case.objects]
    for cite in cites_in(said, frame_of(case, turn.ask), names):
        yield _cite(cite, turn.ask.view_box, view_id)


def _roi(turn: Turn, parsed: ZoomReply, view_id: str) -> dict[str, Any]:
    box = turn.region.box if turn.region else None
    note = turn.problem.detail if turn.problem else None
    if isinstance(parsed.roi, StatedBox) and parsed.roi.ambiguous and note is None:
        note = f"read as {parsed.roi.convention}; the other convention would fit too"
    stated = parsed.roi if isinstance(parsed.roi, StatedBox) else None
    return {"kind": "roi", "text": note} | _boxes(box, stated, turn.ask.view_box, view_id)


def _cite(cite: Cite, view: Box, view_id: str) -> dict[str, Any]:
    stated = cite.box if isinstance(cite.box, StatedBox) else None
    usable = clean_region(stated.box) if stated and _lies_inside(stated.box) else None
    said = {"kind": "cite", "text": cite.name, "cited_depth": cite.depth}
    return said | _boxes(usable, stated, view, view_id)


def _lies_inside(box: Box, slack: float = 0.005) -> bool:
    """Return whether a cited box stays in its view; half a percent is rounding."""
    return min(box) >= -slack and max(box) <= 1 + slack


def _boxes(box: Box | None, stated: StatedBox | None, view: Box, view_id: str) -> dict[str, Any]:
    return {
        "box": box and list(box),
        "box_stated": stated and list(stated.box),
        "box_original": box and list(from_view(box, view)),
        "box_view_image_id": view_id,
        "box_convention": stated and stated.convention.value,
    }
