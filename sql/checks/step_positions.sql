-- check: the steps of a reply are numbered 0, 1, 2, ... without a gap.
-- severity: fail
select
    'steps' as table_name,
    generation_id as item_id,
    'found ' || list(position order by position)::varchar as detail
from steps
group by generation_id
having
    min(position) <> 0
    or max(position) <> count(*) - 1;
