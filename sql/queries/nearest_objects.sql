-- Purpose: which three objects of each image are nearest to the camera?
-- Grain: one row per image and object of rank 1 to 3. Parameters: none.
-- depth_median is relative: 1 is the nearest of its image, never metres. Equals share a rank.
select
    image_id,
    depth_rank as nearness_rank,
    object_id,
    category,
    round(depth_median, 3) as depth_median,
    box
from objects
where depth_rank <= 3
order by
    image_id,
    nearness_rank,
    object_id;
