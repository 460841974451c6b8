-- dropped_items: what deduplication dropped, and what was kept for it.
-- Grain: one row per dropped image, sample or chain. Members of clusters that are only reported are
-- not here; a row written before decisions were stored is a drop.
-- n_methods: methods that dropped the item; the one of the lowest name is shown.
create or replace view dropped_items as
select
    item_kind,
    item_id,
    arg_min(kept_id, method) as kept_id,
    min(method) as method,
    arg_min(similarity, method) as similarity,
    arg_min(evidence, method) as evidence,
    count(*) as n_methods
from duplicates
where
    item_id <> kept_id
    and coalesce(decision, 'drop') = 'drop'
group by
    item_kind,
    item_id;
