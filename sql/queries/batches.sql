-- Purpose: which batches are open or over, and what did they bring?
-- Grain: one row per batch, newest first. Parameters: none.
select
    batch_key,
    state,
    provider_status,
    recipe,
    step,
    teacher,
    n_requests,
    n_answered,
    n_rejected + n_unanswered as n_without_answer,
    round(held_usd, 4) as held_usd,
    round(cost_usd, 4) as cost_usd,
    intended_at,
    detail
from batches_now
order by
    intended_at desc,
    batch_key asc;
