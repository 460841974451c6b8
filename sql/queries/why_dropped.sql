-- Purpose: which samples are not in the training data, and why?
-- Grain: one row per stage and reason, with one example. Parameters: none.
select
    lost_at,
    reason,
    count(*) as n_samples,
    min(sample_id) as example_sample_id,
    arg_min(detail, sample_id) as example_detail
from dropped_samples
group by
    lost_at,
    reason
order by
    n_samples desc,
    lost_at asc,
    reason asc;
