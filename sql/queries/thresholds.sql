-- Purpose: which cosine thresholds were read from labelled pairs, and what do the pairs prove?
-- Grain: one row per kind of item and model. Parameters: none.
-- is_proven: the pairs are many enough to rule out a precision below the wanted one (95 %).
select
    item_kind,
    model,
    cosine,
    wanted_precision,
    precision,
    precision_low,
    recall,
    n_reached,
    n_pairs,
    n_duplicates,
    precision_low >= wanted_precision as is_proven
from thresholds
order by
    item_kind,
    model;
