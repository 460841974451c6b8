-- dropped_samples: why is this sample not in the training data?
-- Grain: one row per sample without an accepted trace.
-- kept_id names the kept twin of a duplicate; failed chains name the rules or the failure code.
create or replace view dropped_samples as
select
    fates.sample_id,
    fates.dataset,
    fates.domain,
    fates.lost_at,
    fates.reason,
    coalesce(fates.detail, chains.failed_detail) as detail,
    fates.kept_id,
    fates.chain_id,
    samples.question,
    samples.answer
from sample_fates as fates
inner join samples on fates.sample_id = samples.sample_id
left join chains on fates.chain_id = chains.chain_id
where fates.lost_at is not null;
