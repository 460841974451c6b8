-- check: every reply is about a sample or an image of this lake.
-- severity: fail
select
    'generations' as table_name,
    generations.generation_id as item_id,
    'subject ' || generations.subject_id || ' is neither in samples nor in images' as detail
from generations
left join samples on generations.subject_id = samples.sample_id
left join images on generations.subject_id = images.image_id
where
    samples.sample_id is null
    and images.image_id is null;
