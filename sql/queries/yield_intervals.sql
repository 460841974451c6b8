-- Purpose: which share of the rows seen reaches each stage, and how sure is that of a pilot?
-- Grain: one row per stage that decides, in order. Parameters: none.
-- Intervals are Wilson's, 95 %, in percent of the rows seen.
with seen as (
    select n_rows
    from funnel
    where stage = 'seen'
)

select
    funnel.stage_no,
    funnel.title as stage,
    funnel.n_rows,
    round(100 * wilson(funnel.n_rows, seen.n_rows).value, 1) as percent,
    round(100 * wilson(funnel.n_rows, seen.n_rows).low, 1) as percent_low,
    round(100 * wilson(funnel.n_rows, seen.n_rows).high, 1) as percent_high
from funnel
cross join seen
where
    funnel.decides
    and seen.n_rows > 0
order by funnel.stage_no;
