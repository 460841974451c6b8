-- Purpose: which tier of deduplication found how much, and what follows from it?
-- Grain: one row per kind of item, method and decision. Parameters: none.
-- n_clusters counts kept items, n_members the others; least_similarity is verified, in [0, 1].
select
    item_kind,
    method,
    coalesce(decision, 'drop') as decision,
    count(distinct kept_id) as n_clusters,
    count(*) as n_members,
    min(similarity) as least_similarity
from duplicates
where item_id <> kept_id
group by
    item_kind,
    method,
    coalesce(decision, 'drop')
order by
    item_kind,
    method,
    decision;
