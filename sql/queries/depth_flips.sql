-- Purpose: how often does noise of a known size turn a depth relation round?
-- Grain: one row per model, kind of pair, bin of margins and noise level. Parameters: none.
select
    model,
    pairs,
    margin_over,
    margin_up_to,
    noise_sd,
    n_pairs,
    round(100 * flipped, 2) as flipped_percent,
    round(100 * reversed, 2) as reversed_percent,
    round(100 * lost, 2) as lost_percent
from depth_flips
order by
    model asc,
    weights_sha asc,
    preproc_id asc,
    pairs desc,
    margin_over asc,
    noise_sd asc;
