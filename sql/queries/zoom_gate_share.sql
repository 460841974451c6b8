-- Purpose: for how many samples is one look at the whole image enough?
-- Grain: one row per dataset. Parameters: none (the limit is macro zoom_gate_limit, 0.30).
-- Published for Visual-CoT's CUB rows: 54.63 (arXiv:2511.17731).
select
    dataset,
    count(*) as n_rows,
    count(*) filter (where single_round) as n_single_round,
    percent(count(*) filter (where single_round), count(*)) as single_round_percent,
    count(*) filter (where union_box_px is null) as n_without_boxes
from zoom_gate
group by dataset
order by dataset;
