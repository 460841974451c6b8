-- Purpose: on which kinds of questions is the teacher right?
-- Grain: one row per dataset, domain and teacher. Parameters: none.
select
    samples.dataset,
    samples.domain,
    chains.teacher,
    count(*) as n_chains,
    count(*) filter (where chains.complete) as n_complete,
    count(*) filter (where chains.answer_right) as n_right,
    percent(count(*) filter (where chains.answer_right), count(*)) as right_percent,
    count(*) filter (where chains.accepted) as n_accepted
from chains
inner join samples on chains.sample_id = samples.sample_id
group by
    samples.dataset,
    samples.domain,
    chains.teacher
order by
    samples.dataset,
    samples.domain,
    chains.teacher;
