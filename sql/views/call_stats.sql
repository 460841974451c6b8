-- call_stats: how long calls took, what came of them and how large they were.
-- Grain: one row per step, teacher, endpoint and channel of the ledger.
-- A call without a channel was live. Latency is that of the answer that counted: earlier tries of
-- the same call, and waiting for a turn, are no part of it.
create or replace view call_stats as
select
    step,
    teacher,
    endpoint,
    coalesce(channel, 'live') as channel,
    count(*) as n_calls,
    round(avg(latency_ms), 1) as mean_ms,
    round(quantile_cont(latency_ms, 0.5), 1) as p50_ms,
    round(quantile_cont(latency_ms, 0.9), 1) as p90_ms,
    round(quantile_cont(latency_ms, 0.99), 1) as p99_ms,
    count(*) filter (where outcome = 'success') as n_success,
    count(*) filter (where outcome = 'truncated') as n_truncated,
    count(*) filter (where outcome = 'refused') as n_refused,
    count(*) filter (where outcome = 'empty') as n_empty,
    round(avg(tokens_in), 1) as mean_tokens_in,
    round(avg(tokens_out), 1) as mean_tokens_out,
    round(quantile_cont(tokens_out, 0.99), 1) as p99_tokens_out,
    avg(cost_usd) as mean_cost_usd
from ledger
group by
    step,
    teacher,
    endpoint,
    coalesce(channel, 'live');
