-- Purpose: which kinds of questions are answered without their picture?
-- Grain: one row per dataset, domain and teacher; n_asked counts chains whose question was asked
-- again without the image (step needs_image), n_guessed those where it was answered all the same.
-- Parameters: none.
with blind as (
    select
        subject_id as chain_id,
        passed as needs_image
    from verdicts
    where rule = 'needs_image'
)

select
    samples.dataset,
    samples.domain,
    chains.teacher,
    count(*) as n_chains,
    count(blind.needs_image) as n_asked,
    count(*) filter (where not blind.needs_image) as n_guessed,
    percent(
        count(*) filter (where not blind.needs_image), count(blind.needs_image)
    ) as guessed_percent
from chains
inner join samples on chains.sample_id = samples.sample_id
left join blind on chains.chain_id = blind.chain_id
group by
    samples.dataset,
    samples.domain,
    chains.teacher
order by
    guessed_percent desc nulls last,
    samples.dataset asc,
    samples.domain asc,
    chains.teacher asc;
