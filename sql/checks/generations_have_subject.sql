-- check: every reply is about a sample or an image of this lake, a second ask about a chain.
-- severity: fail
with subjects as (
    select sample_id as subject_id
    from samples
    union
    select image_id as subject_id
    from images
    union
    select chain_id as subject_id
    from generations
    where role in ('teacher', 'student')
)

select
    'generations' as table_name,
    generations.generation_id as item_id,
    'subject ' || generations.subject_id || ' is no sample, image or chain' as detail
from generations
left join subjects on generations.subject_id = subjects.subject_id
where subjects.subject_id is null;
