-- check: both ends of a relation are objects of its image, and they differ.
-- severity: fail
select
    'relations' as table_name,
    concat_ws(
        ' / ',
        relations.image_id,
        relations.subject_object_id,
        relations.kind,
        relations.object_object_id
    ) as item_id,
    case
        when relations.subject_object_id = relations.object_object_id
            then 'an object is related to itself'
        else 'an end is not in objects'
    end as detail
from relations
left join objects as subjects
    on
        relations.image_id = subjects.image_id
        and relations.subject_object_id = subjects.object_id
left join objects
    on
        relations.image_id = objects.image_id
        and relations.object_object_id = objects.object_id
where
    subjects.object_id is null
    or objects.object_id is null
    or relations.subject_object_id = relations.object_object_id;
