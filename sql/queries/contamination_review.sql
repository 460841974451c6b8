-- Purpose: which samples match a benchmark, and what do both sides say?
-- Grain: one row per sample, benchmark, rule and matching item. Parameters: none.
-- n_alike: samples that match the same benchmark item by the same rule; many of them mean a common
-- phrase or picture rather than a leak, so the rare ones stand first.
select
    benchmark,
    benchmark_item,
    rule,
    decision,
    count(distinct sample_id) over (
        partition by
            benchmark_id,
            benchmark_item,
            rule
    ) as n_alike,
    score,
    item_kind,
    sample_id,
    question,
    evidence
from contamination_of_samples
order by
    decision asc,
    n_alike asc,
    score desc,
    benchmark asc,
    benchmark_item asc,
    rule asc,
    sample_id asc,
    item_id asc;
