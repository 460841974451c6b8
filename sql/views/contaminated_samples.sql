-- contaminated_samples: which samples are left out because a benchmark holds them?
-- Grain: one row per sample with a match that drops it; the strongest match is shown.
create or replace view contaminated_samples as
select
    sample_id,
    benchmark,
    benchmark_version,
    benchmark_item,
    rule,
    score,
    evidence
from contamination_of_samples
where decision = 'drop'
qualify
    row_number() over (
        partition by sample_id
        order by
            score desc,
            benchmark asc,
            benchmark_version asc,
            rule asc,
            item_id asc
    ) = 1;
