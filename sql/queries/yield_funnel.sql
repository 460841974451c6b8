-- Purpose: how many rows reach each stage, and where were the others lost?
-- Grain: one row per stage, in order. Parameters: none.
select
    stage_no,
    title as stage,
    n_rows,
    percent_of_seen,
    percent_of_before,
    n_lost,
    lost_to
from funnel
order by stage_no;
