-- teachers: the teachers and students of the lake side by side.
-- Grain: one row per role and model that wrote chains.
-- Shares are of its chains; a share of nothing is null. needs_image_share is of the chains whose
-- question was asked without the image, judge_score the mean over those that were judged.
-- seconds_p50 and seconds_p90 are of its calls.
create or replace view teachers as
with judged as (
    select
        subject_id as chain_id,
        max(score) filter (where rule = 'judge') as judge_score,
        bool_and(passed) filter (where rule = 'needs_image') as needs_image
    from verdicts
    where
        subject_kind = 'chain'
        and rule in ('judge', 'needs_image')
    group by subject_id
),

calls as (
    select
        role,
        teacher,
        count(*) as n_calls,
        count(*) filter (where coalesce(turn, 0) > 0) as n_repairs,
        count(*) filter (where outcome = 'refused') as n_refused,
        count(*) filter (where outcome = 'truncated') as n_truncated,
        count(*) filter (where outcome = 'empty') as n_empty,
        count(*) filter (where outcome = 'error') as n_errors,
        quantile_cont(latency_ms / 1000, 0.5) as seconds_p50,
        quantile_cont(latency_ms / 1000, 0.9) as seconds_p90
    from generations
    where role in ('teacher', 'student')
    group by
        role,
        teacher
),

malformed as (
    select
        generations.role,
        generations.teacher,
        count(*) as n_malformed
    from failures
    inner join generations on failures.item_id = generations.generation_id
    where failures.code = 'reply_malformed'
    group by
        generations.role,
        generations.teacher
),

written as (
    select
        chains.role,
        chains.teacher,
        count(*) as n_chains,
        count(distinct chains.sample_id) as n_samples,
        count(*) filter (where chains.complete) as n_complete,
        count(*) filter (where chains.answer_right) as n_right,
        count(*) filter (where chains.accepted) as n_accepted,
        avg(judged.judge_score) as judge_score,
        count(judged.needs_image) as n_asked_blind,
        count(*) filter (where judged.needs_image) as n_needs_image,
        sum(chains.tokens_in)::bigint as tokens_in,
        sum(chains.tokens_out)::bigint as tokens_out,
        sum(chains.cost_usd) as cost_usd
    from chains
    left join judged on chains.chain_id = judged.chain_id
    group by
        chains.role,
        chains.teacher
)

select
    written.role,
    written.teacher,
    written.n_samples,
    written.n_chains,
    written.n_complete,
    written.n_right,
    written.n_accepted,
    written.n_right / written.n_chains as right_share,
    written.n_accepted / written.n_chains as accepted_share,
    written.judge_score,
    written.n_asked_blind,
    written.n_needs_image / nullif(written.n_asked_blind, 0) as needs_image_share,
    calls.n_calls,
    calls.n_repairs,
    coalesce(malformed.n_malformed, 0) as n_malformed,
    calls.n_refused,
    calls.n_truncated,
    calls.n_empty,
    calls.n_errors,
    written.tokens_in,
    written.tokens_out,
    written.cost_usd,
    written.cost_usd / nullif(written.n_accepted, 0) as cost_usd_per_accepted_chain,
    calls.seconds_p50,
    calls.seconds_p90
from written
inner join calls
    on
        written.role = calls.role
        and written.teacher = calls.teacher
left join malformed
    on
        written.role = malformed.role
        and written.teacher = malformed.teacher;
