-- check: nothing is asked about a sample that deduplication dropped.
-- A sample bought before its twin arrived is no error, but money that need not be spent again.
-- severity: warn
with dropped as (
    select item_id as sample_id
    from dropped_items
    where item_kind = 'sample'
)

select
    'generations' as table_name,
    generations.subject_id as item_id,
    count(*) || ' replies about a dropped sample' as detail
from generations
inner join dropped on generations.subject_id = dropped.sample_id
group by generations.subject_id;
