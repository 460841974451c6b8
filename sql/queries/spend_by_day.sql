-- Purpose: what did each day cost, per recipe, step and teacher, and in all up to then?
-- Grain: one row per day, recipe, step and teacher. Parameters: none.
with daily as (
    select
        day,
        recipe,
        step,
        teacher,
        sum(n_calls)::bigint as n_calls,
        sum(cost_usd) as cost_usd,
        sum(n_calls_unpriced)::bigint as n_calls_unpriced
    from spend
    group by
        day,
        recipe,
        step,
        teacher
)

select
    day,
    recipe,
    step,
    teacher,
    n_calls,
    round(cost_usd, 4) as cost_usd,
    round(sum(cost_usd) over (order by day, recipe, step, teacher), 4) as cost_usd_so_far,
    n_calls_unpriced
from daily
order by
    day,
    recipe,
    step,
    teacher;
