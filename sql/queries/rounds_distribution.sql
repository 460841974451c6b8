-- Purpose: how many looks did the traces take?
-- Grain: one row per dataset; shares in percent of its complete chains. Parameters: none.
-- Published for CUB: 54.63 / 36.41 / 8.96, for GQA-Pro: 21.55 / 28.47 / 18.74 / 31.24.
select
    samples.dataset,
    count(*) as n_chains,
    percent(count(*) filter (where chains.rounds = 1), count(*)) as percent_1,
    percent(count(*) filter (where chains.rounds = 2), count(*)) as percent_2,
    percent(count(*) filter (where chains.rounds = 3), count(*)) as percent_3,
    percent(count(*) filter (where chains.rounds >= 4), count(*)) as percent_4_or_more
from chains
inner join samples on chains.sample_id = samples.sample_id
where chains.complete
group by samples.dataset
order by samples.dataset;
