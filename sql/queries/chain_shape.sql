-- Purpose: how do chains go on, and how large are their calls? A plan estimates with it.
-- Grain: one row per dataset, teacher, stage and round of a first try. Parameters: none.
-- more_calls: mean number of calls of the same chain after this one, repairs included.
with placed as (
    select
        regexp_extract(part, '([a-z0-9-]+)-[0-9a-f]{8}$', 1) as dataset,
        teacher,
        chain_id,
        stage,
        round,
        coalesce(turn, 0) as turn,
        tokens_in,
        tokens_out,
        cost_usd,
        count(*) over all_calls - row_number() over (all_calls order by round, turn) as n_more
    from generations
    where stage in ('zoom', 'final', 'single')
    window all_calls as (partition by chain_id)
)

select
    dataset,
    teacher,
    stage,
    round,
    count(*) as n_chains,
    avg(n_more) as more_calls,
    avg(tokens_in) as tokens_in,
    avg(tokens_out) as tokens_out,
    case when count(*) = count(cost_usd) then avg(cost_usd) end as cost_usd
from placed
where turn = 0
group by
    dataset,
    teacher,
    stage,
    round
order by
    dataset,
    teacher,
    round,
    stage;
