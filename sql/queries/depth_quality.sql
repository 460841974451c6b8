-- Purpose: how do depth models do against true depth and human labels?
-- Grain: one row per benchmark, model, measure and kind of pair. Parameters: none.
-- Bins of margins and depth ratios are in the view.
select
    audit,
    benchmark,
    model,
    measure,
    pairs,
    n_items,
    round(mean, 4) as mean,
    round(lowest, 4) as lowest,
    round(highest, 4) as highest,
    note
from depth_quality
where
    bin_low is null
    and bin_high is null
order by
    audit asc,
    benchmark asc,
    model asc,
    weights_sha asc,
    preproc_id asc,
    measure asc,
    pairs asc,
    note asc;
