-- check: every match names a benchmark of this lake, and says review or drop.
-- severity: fail
select
    'contamination' as table_name,
    concat_ws(' / ', contamination.item_id, contamination.rule) as item_id,
    case
        when benchmarks.benchmark_id is null then 'no such benchmark'
        else 'decision ' || contamination.decision
    end as detail
from contamination
left join benchmarks on contamination.benchmark_id = benchmarks.benchmark_id
where
    benchmarks.benchmark_id is null
    or contamination.decision not in ('review', 'drop');
