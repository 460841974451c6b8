-- depth_quality: how weights do against true depth and human labels.
-- Grain: one row per benchmark, weights, preprocessing, measure, kind of pair and bin.
-- mean is over pictures, as published figures are; pooled weighs them by what they measure.
-- Pictures that carry a note, such as a depth that is not registered, count apart.
create or replace view depth_quality as
select
    audit,
    benchmark,
    benchmark_sha,
    model,
    weights_sha,
    preproc_id,
    measure,
    pairs,
    bin_low,
    bin_high,
    note,
    count(value) as n_items,
    (sum(n) filter (where value is not null))::bigint as n,
    avg(value) as mean,
    sum(value * n) / sum(n) filter (where value is not null) as pooled,
    min(value) as lowest,
    max(value) as highest
from depth_scores
where
    audit <> 'noise'
    and n > 0
group by
    audit,
    benchmark,
    benchmark_sha,
    model,
    weights_sha,
    preproc_id,
    measure,
    pairs,
    bin_low,
    bin_high,
    note;
