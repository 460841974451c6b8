-- Purpose: how long do the teachers take to answer?
-- Grain: one row per teacher, channel and bucket, buckets doubling. Parameters: none.
select
    teacher,
    channel,
    from_ms,
    to_ms,
    n_calls,
    percent,
    percent_within,
    bar(n_calls, 0, max(n_calls) over (partition by teacher, channel), 30) as calls
from latency_buckets
order by
    teacher,
    channel,
    from_ms;
