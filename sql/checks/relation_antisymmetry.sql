-- check: a decided relation never holds in both directions.
-- severity: fail
select
    'relations' as table_name,
    concat_ws(
        ' / ',
        forth.image_id,
        forth.subject_object_id,
        forth.kind,
        forth.object_object_id
    ) as item_id,
    'the reverse is decided too' as detail
from relations as forth
inner join relations as back
    on
        forth.image_id = back.image_id
        and forth.kind = back.kind
        and forth.subject_object_id = back.object_object_id
        and forth.object_object_id = back.subject_object_id
where
    forth.status = 'decided'
    and back.status = 'decided'
    and forth.subject_object_id < forth.object_object_id;
