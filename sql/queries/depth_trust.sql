-- Purpose: what does a stricter margin keep, and how much of that would noise turn round?
-- Grain: one row per model, noise level and least margin. Parameters: none.
select
    model,
    noise_sd,
    margin_over,
    n_pairs,
    round(100 * kept, 1) as kept_percent,
    round(100 * expected_error, 2) as expected_error_percent
from depth_trust
order by
    model asc,
    weights_sha asc,
    preproc_id asc,
    noise_sd asc,
    margin_over asc;
