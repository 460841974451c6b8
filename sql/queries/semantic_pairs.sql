-- Purpose: which pairs do embeddings call alike, the least alike first, for a person to label?
-- Grain: one row per reported item, at most 200. Parameters: none.
-- Rows with a "label" (1 for true duplicates) are what `sightline calibrate` reads.
select
    item_kind as kind,
    item_id as item1,
    kept_id as item2,
    similarity as cosine,
    evidence,
    item_text as text1,
    kept_text as text2,
    item_answer as answer1,
    kept_answer as answer2
from duplicate_pairs
where method like '%\_semantic' escape '\'
order by
    cosine asc,
    item_kind asc,
    item_id asc
limit 200;
