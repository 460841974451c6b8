-- Purpose: what was found to be a duplicate, of what, on which evidence, and what follows?
-- Grain: one row per member that is not the kept one, and method. Parameters: none.
select
    item_kind,
    method,
    decision,
    item_id,
    kept_id,
    similarity,
    evidence,
    item_text,
    kept_text
from duplicate_pairs
order by
    item_kind,
    method,
    kept_id,
    item_id;
