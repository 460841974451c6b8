-- Purpose: which teacher is right how often, at what price?
-- Grain: one row per role and teacher. Parameters: none.
select
    role,
    teacher,
    n_chains,
    n_complete,
    round(100 * right_share, 1) as right_percent,
    round(100 * accepted_share, 1) as accepted_percent,
    round(judge_score, 3) as judge_score,
    round(100 * needs_image_share, 1) as needs_image_percent,
    n_repairs,
    n_malformed,
    tokens_out // nullif(n_chains, 0) as tokens_out_per_chain,
    round(cost_usd_per_accepted_chain, 6) as usd_per_accepted_chain,
    round(seconds_p50, 3) as seconds_p50
from teachers
order by
    role desc,
    accepted_percent desc,
    teacher asc;
