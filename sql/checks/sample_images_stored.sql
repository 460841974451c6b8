-- check: every image a sample names is stored; a sample without images names none.
-- severity: fail
with named as (
    select
        sample_id,
        unnest(image_ids) as image_id
    from samples
)

select
    'samples' as table_name,
    named.sample_id as item_id,
    'image ' || named.image_id || ' is not in images' as detail
from named
left join images on named.image_id = images.image_id
where images.image_id is null;
