-- check: a chain answers at most once.
-- severity: fail
select
    'steps' as table_name,
    chain_id as item_id,
    'found ' || count(*) || ' answers' as detail
from steps
where kind = 'answer'
group by chain_id
having count(*) > 1;
