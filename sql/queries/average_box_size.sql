-- Purpose: how large is the region that matters, as the side of a square in pixels?
-- Grain: one row per dataset. Parameters: none.
-- Published for Visual-CoT: CUB 249.0, SROIE 480.4: the root of the mean area, not the mean root.
select
    dataset,
    count(union_area_px) as n_rows,
    round(sqrt(avg(union_area_px)), 1) as average_box_size_px
from zoom_gate
group by dataset
order by dataset;
