"""Which samples the report shows: fixed by content, varied on purpose.

One per kind of question, number of zooms or reason comes first, then the next of each, in the
order of a hash of the id.  So pages of two builds can be compared, and no frequent kind hides the
rare ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

Query = Callable[[str, Sequence[Any]], pa.Table]
"""Runs one SELECT with bound values: `Catalog.query`."""

ASKED: Final = ("accepted", "rejected", "disputed")
UNASKED: Final = "unasked"


@dataclass(frozen=True, slots=True)
class Choice:
    """A sample for the page, the chain that speaks for it, and why it is shown."""

    sample_id: str
    chain_id: str | None
    kind: str
    reason: str | None


CANDIDATES = """
with disputes as (
    select
        sample_id,
        min(kind || ': ' || coalesce(other_answer, 'no answer')) as reason
    from label_disputes
    where
        kind = 'twin'
        or n > 1
    group by sample_id
),

candidates as (
    select
        fates.sample_id,
        fates.chain_id,
        case
            when fates.kept and disputes.sample_id is not null then 'disputed'
            when fates.own_rationale then 'accepted'
            when fates.begun then 'rejected'
            else 'unasked'
        end as kind,
        coalesce(disputes.reason, fates.reason) as reason,
        concat_ws(' / ', fates.dataset, fates.domain, chains.zooms, fates.reason) as variety
    from sample_fates as fates
    left join chains on fates.chain_id = chains.chain_id
    left join disputes on fates.sample_id = disputes.sample_id
    where fates.askable
),

turns as (
    select
        sample_id,
        chain_id,
        kind,
        reason,
        row_number() over (partition by kind, variety order by md5(sample_id)) as turn
    from candidates
)

select
    sample_id,
    chain_id,
    kind,
    reason
from turns
qualify row_number() over (partition by kind order by turn, md5(sample_id)) <= ?
order by kind, turn, md5(sample_id)
"""


def choose(query: Query, most: int) -> list[Choice]:
    """Return at most `most` samples: half accepted, a quarter rejected, a quarter disputed.

    One wrong answer is a rejection; a dispute is a twin that says otherwise, or an answer that
    several chains agree on.  What one kind lacks the others fill.  Samples nobody was asked about
    are shown only where there is nothing else.
    """
    by_kind: dict[str, list[Choice]] = {kind: [] for kind in (*ASKED, UNASKED)}
    for row in query(CANDIDATES, [most]).to_pylist():
        by_kind[row["kind"]].append(Choice(**row))
    if not any(by_kind[kind] for kind in ASKED):
        return by_kind[UNASKED]
    taken = dict(zip(ASKED, (most - most // 4 * 2, most // 4, most // 4), strict=True))
    spare = most - sum(min(taken[kind], len(by_kind[kind])) for kind in ASKED)
    for kind in ASKED:
        more = min(max(0, len(by_kind[kind]) - taken[kind]), spare)
        taken[kind] = min(taken[kind], len(by_kind[kind])) + more
        spare -= more
    return [choice for kind in ASKED for choice in by_kind[kind][: taken[kind]]]
