-- object_pairs: relations in words, with what they rest on.
-- Grain: one row per image, ordered pair of objects and kind of relation.
create or replace view object_pairs as
select
    relations.image_id,
    relations.subject_object_id,
    subjects.category as subject_category,
    relations.kind,
    relations.object_object_id,
    objects.category as object_category,
    relations.status,
    relations.margin,
    subjects.box as subject_box,
    objects.box as object_box,
    subjects.depth_median as subject_depth,
    objects.depth_median as object_depth,
    subjects.depth_rank as subject_rank,
    objects.depth_rank as object_rank
from relations
inner join objects as subjects
    on
        relations.image_id = subjects.image_id
        and relations.subject_object_id = subjects.object_id
inner join objects
    on
        relations.image_id = objects.image_id
        and relations.object_object_id = objects.object_id;
