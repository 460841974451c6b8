-- Purpose: how much of the lake matches each benchmark, by which rule, and what follows?
-- Grain: one row per benchmark, rule and decision. Parameters: none.
select
    benchmarks.name as benchmark,
    benchmarks.version,
    benchmarks.n_items,
    coalesce(matches.rule, 'no match') as rule,
    matches.decision,
    count(distinct matches.item_id) as n_items_matched,
    count(distinct matches.sample_id) as n_samples
from benchmarks
left join contamination_of_samples as matches on benchmarks.benchmark_id = matches.benchmark_id
group by
    benchmarks.benchmark_id,
    benchmarks.name,
    benchmarks.version,
    benchmarks.n_items,
    matches.rule,
    matches.decision
order by
    benchmarks.name asc,
    benchmarks.version asc,
    matches.rule asc,
    matches.decision asc;
