-- Purpose: which clusters of duplicates are the largest?
-- Grain: one row per kept item and method, at most 50. Parameters: none.
select
    item_kind,
    method,
    decision,
    kept_id,
    count(*) as n_members,
    min(similarity) as least_similarity,
    any_value(left(kept_text, 120)) as kept_text
from duplicate_pairs
group by
    item_kind,
    method,
    decision,
    kept_id
order by
    n_members desc,
    item_kind asc,
    method asc,
    kept_id asc
limit 50;
