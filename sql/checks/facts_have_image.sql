-- check: depth maps, detections, segments, objects, crops and relations belong to a stored image.
-- severity: fail
with facts as (
    select
        'depth_maps' as table_name,
        image_id
    from depth_maps
    union all
    select
        'detections' as table_name,
        image_id
    from detections
    union all
    select
        'segments' as table_name,
        image_id
    from segments
    union all
    select
        'objects' as table_name,
        image_id
    from objects
    union all
    select
        'relations' as table_name,
        image_id
    from relations
    union all
    select
        'images' as table_name,
        parent_image_id as image_id
    from images
    where parent_image_id is not null
    union all
    select
        'generations' as table_name,
        view_image_id as image_id
    from generations
    where view_image_id is not null
)

select
    facts.table_name,
    facts.image_id as item_id,
    'image is not in images, named by ' || count(*) || ' rows' as detail
from facts
left join images on facts.image_id = images.image_id
where images.image_id is null
group by
    facts.table_name,
    facts.image_id;
