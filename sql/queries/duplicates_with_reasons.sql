-- Purpose: what was dropped as a duplicate, in favour of what, and on which evidence?
-- Grain: one row per dropped item and method. Parameters: none.
select
    duplicates.item_kind,
    duplicates.method,
    duplicates.item_id,
    duplicates.kept_id,
    duplicates.similarity,
    duplicates.evidence,
    dropped.question as dropped_question,
    kept.question as kept_question
from duplicates
left join samples as dropped on duplicates.item_id = dropped.sample_id
left join samples as kept on duplicates.kept_id = kept.sample_id
where duplicates.item_id <> duplicates.kept_id
order by
    duplicates.item_kind,
    duplicates.method,
    duplicates.kept_id,
    duplicates.item_id;
