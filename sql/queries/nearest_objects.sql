-- Purpose: which three objects of each image are nearest to the camera?
-- Grain: one row per image and rank. Parameters: none.
-- depth_median is relative: 1 is the nearest of its image, never metres.
select
    image_id,
    row_number() over nearest_first as nearness_rank,
    object_id,
    category,
    round(depth_median, 3) as depth_median,
    box
from objects
where depth_status = 'ok'
window
    nearest_first as (
        partition by image_id
        order by
            depth_median desc,
            object_id asc
    )
qualify row_number() over nearest_first <= 3
order by
    image_id,
    nearness_rank;
