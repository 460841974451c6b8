-- spend: what was paid for teacher calls, as the ledger has it.
-- Grain: one row per recipe, step, teacher, channel, outcome and day (UTC) that has calls.
-- cost_usd is null where no price is listed for any of the calls; n_calls_unpriced counts them.
create or replace view spend as
select
    recipe,
    step,
    teacher,
    coalesce(channel, 'live') as channel,
    outcome,
    (received_at at time zone 'UTC')::date as day,
    count(*) as n_calls,
    sum(tokens_in)::bigint as tokens_in,
    sum(tokens_out)::bigint as tokens_out,
    sum(tokens_reasoning)::bigint as tokens_reasoning,
    sum(cost_usd) as cost_usd,
    count(*) filter (where cost_usd is null) as n_calls_unpriced
from ledger
group by
    recipe,
    step,
    teacher,
    coalesce(channel, 'live'),
    outcome,
    day;
