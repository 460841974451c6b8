"""Stored replies to verdicts and reworded steps, without asking anybody.

The last reply of each draw counts, since an earlier one was sent back.  A reply that cannot be read
decides nothing; a teacher that refuses to guess without the image says that it needs it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.errors import Failure, clip_detail
from sightline.outcomes import Outcome
from sightline.schemas import FAILURES, STEPS, VERDICTS
from tasks.review.asks import Stage
from tasks.review.case import ReviewCase
from tasks.review.findings import Finding, Said, findings_of
from tasks.review.params import ReviewParams
from tasks.review.replies import Reworded, Unreadable, parse_reply

READABLE = frozenset({Outcome.SUCCESS, Outcome.MALFORMED})


@dataclass(frozen=True, slots=True)
class ReviewTables:
    """Payload tables of what the replies of one part come to."""

    verdicts: pa.Table
    steps: pa.Table
    failures: pa.Table


def tables_of(
    generations: pa.Table, cases: Iterable[ReviewCase], params: ReviewParams, step: str
) -> ReviewTables:
    """Return what the stored replies of a review come to, by chain; row order does not matter.

    Args:
        generations: rows of `generations` of this review.
        cases: the chains it is about.
        params: of the recipe.
        step: name of the step that reads, for its failures.
    """
    replies = _by_chain(generations)
    verdicts: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for case in cases:
        said = replies.get(case.chain_id, [])
        verdicts += [_verdict(case, finding) for finding in findings_of(case, said, params)]
        steps += [row for one in said for row in _reworded_steps(case, one)]
        failures += [row for one in said for row in _unreadable(one, step)]
    return ReviewTables(VERDICTS.rows(verdicts), STEPS.rows(steps), FAILURES.rows(failures))


def _by_chain(generations: pa.Table) -> dict[str, list[Said]]:
    wanted = [
        "generation_id", "chain_id", "subject_id", "draw", "turn", "stage", "raw_text",
        "thinking", "outcome",
    ]  # fmt: skip
    rows = generations.select(wanted).to_pylist()
    rows.sort(key=lambda row: (row["subject_id"], row["draw"], row["turn"] or 0))
    last = {(row["subject_id"], row["draw"]): row for row in rows}
    found: dict[str, list[Said]] = {}
    for (chain_id, _), row in last.items():
        found.setdefault(chain_id, []).append(_said(row))
    return found


def _said(row: Mapping[str, Any]) -> Said:
    outcome = Outcome(row["outcome"])
    reply = None
    if outcome in READABLE:
        reply = parse_reply(Stage(row["stage"]), row["raw_text"], row["thinking"])
    return Said(row["generation_id"], row["chain_id"], outcome, reply)


def _verdict(case: ReviewCase, finding: Finding) -> dict[str, Any]:
    return {
        "subject_id": case.chain_id,
        "subject_kind": "chain",
        "rule": finding.rule,
        "passed": finding.passed,
        "score": finding.score,
        "detail": clip_detail(finding.detail),
    }


def _reworded_steps(case: ReviewCase, said: Said) -> Iterator[dict[str, Any]]:
    """Yield one reasoning per round of the chain, if the rewriter kept to their number."""
    if not isinstance(said.reply, Reworded) or len(said.reply.texts) != len(case.reasonings):
        return
    pairs = zip(case.reasonings, said.reply.texts, strict=True)
    for position, (reasoning, text) in enumerate(pairs):
        yield {
            "generation_id": said.generation_id,
            "position": position,
            "chain_id": said.review_id,
            "sample_id": case.sample_id,
            "round": reasoning.round,
            "kind": "reasoning",
            "text": text,
        }


def _unreadable(said: Said, step: str) -> Iterator[dict[str, str]]:
    if isinstance(said.reply, Unreadable):
        yield {
            "step": step,
            "item_id": said.generation_id,
            "code": Failure.REPLY_MALFORMED.value,
            "detail": clip_detail(said.reply.expected),
        }
