-- Purpose: what came of the calls, how long did they take, and how large are they?
-- Grain: one row per step, teacher, endpoint and channel. Parameters: none.
-- Outcomes in percent of the calls.
select
    step,
    teacher,
    endpoint,
    channel,
    n_calls,
    percent(n_success, n_calls) as success_percent,
    percent(n_truncated, n_calls) as truncated_percent,
    percent(n_refused, n_calls) as refused_percent,
    percent(n_empty, n_calls) as empty_percent,
    p50_ms,
    p90_ms,
    p99_ms,
    mean_tokens_in,
    mean_tokens_out,
    round(mean_cost_usd, 6) as mean_cost_usd
from call_stats
order by
    step,
    teacher,
    endpoint,
    channel;
