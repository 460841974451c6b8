-- Purpose: what went wrong, most frequent first?
-- Grain: one row per step and code. Parameters: none.
select
    step,
    code,
    n_failures,
    n_items,
    example_item_id,
    example_detail
from failures_by_code
order by
    n_failures desc,
    step asc,
    code asc;
