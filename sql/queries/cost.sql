-- Purpose: what did each step buy, and what does one accepted chain cost?
-- Grain: one row per step. Parameters: none.
select
    step,
    teachers,
    n_calls,
    n_calls_reused,
    tokens_in,
    tokens_out,
    round(cost_usd, 4) as cost_usd,
    n_accepted_chains,
    round(cost_usd_per_accepted_chain, 6) as cost_usd_per_accepted_chain
from cost_by_step
order by step;
