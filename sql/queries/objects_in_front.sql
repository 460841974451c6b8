-- Purpose: which object stands in front of which, where depth decides?
-- Grain: one row per image and ordered pair. Parameters: none. Widest margin first.
select
    image_id,
    subject_object_id,
    subject_category,
    object_object_id,
    object_category,
    round(margin, 3) as depth_margin,
    round(subject_depth, 3) as subject_depth,
    round(object_depth, 3) as object_depth
from object_pairs
where
    kind = 'in_front_of'
    and status = 'decided'
order by
    margin desc,
    image_id asc,
    subject_object_id asc,
    object_object_id asc;
