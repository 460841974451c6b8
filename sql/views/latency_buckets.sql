-- latency_buckets: a histogram of how long calls took, in steps that double.
-- Grain: one row per teacher, channel and bucket; buckets without calls are left out.
-- A bucket holds from_ms <= latency < to_ms; all below 1 ms are in the first.
create or replace view latency_buckets as
with placed as (
    select
        teacher,
        coalesce(channel, 'live') as channel,
        floor(log2(greatest(latency_ms, 1)))::integer as power
    from ledger
),

counted as (
    select
        teacher,
        channel,
        power,
        count(*) as n_calls
    from placed
    group by
        teacher,
        channel,
        power
)

select
    teacher,
    channel,
    (case when power = 0 then 0 else 2 ** power end)::bigint as from_ms,
    (2 ** (power + 1))::bigint as to_ms,
    n_calls,
    percent(n_calls, sum(n_calls) over all_calls) as percent,
    percent(sum(n_calls) over up_to_here, sum(n_calls) over all_calls) as percent_within
from counted
window
    all_calls as (partition by teacher, channel),
    up_to_here as (partition by teacher, channel order by power);
