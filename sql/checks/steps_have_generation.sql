-- check: every step belongs to a reply of the same chain and to a sample.
-- severity: fail
select
    'steps' as table_name,
    concat_ws(' / ', steps.generation_id, steps.position) as item_id,
    case
        when generations.generation_id is null then 'its generation is missing'
        when generations.chain_id <> steps.chain_id
            then 'its generation is of chain ' || generations.chain_id
        else 'sample ' || steps.sample_id || ' is missing'
    end as detail
from steps
left join generations on steps.generation_id = generations.generation_id
left join samples on steps.sample_id = samples.sample_id
where
    generations.generation_id is null
    or generations.chain_id <> steps.chain_id
    or samples.sample_id is null;
