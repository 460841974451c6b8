-- failures_by_code: what went wrong, how often, with one example.
-- Grain: one row per step and code.
create or replace view failures_by_code as
select
    step,
    code,
    count(*) as n_failures,
    count(distinct item_id) as n_items,
    min(item_id) as example_item_id,
    arg_min(detail, item_id) as example_detail
from failures
group by
    step,
    code;
