-- chains: what became of each trace that a teacher was asked for.
-- Grain: one row per chain.
-- accepted: the chain has an answer, the answer is judged right, and no deciding rule
-- (macro deciding_rules) failed. A rule that could not be decided does not reject a chain.
-- failed_detail: what the first of failed_rules found.
-- turns: replies that were sent back to be repaired.
create or replace view chains as
with asked as (
    select
        chain_id,
        subject_id,
        role,
        teacher,
        draw,
        round,
        coalesce(turn, 0) as turn,
        stage,
        outcome,
        tokens_in,
        tokens_out,
        cost_usd
    from generations
    where role in ('teacher', 'student')
),

replies as (
    select
        chain_id,
        any_value(subject_id) as sample_id,
        any_value(role) as role,
        any_value(teacher) as teacher,
        min(draw) as draw,
        max(round) as rounds,
        count(distinct round) filter (where stage = 'zoom') as zooms,
        count(*) filter (where turn > 0) as turns,
        arg_max(stage, round) as stage,
        arg_max(outcome, (round, turn)) as outcome,
        sum(tokens_in)::bigint as tokens_in,
        sum(tokens_out)::bigint as tokens_out,
        sum(cost_usd) as cost_usd
    from asked
    group by chain_id
),

answers as (
    select
        chain_id,
        arg_max(text, round) as answer
    from steps
    where kind = 'answer'
    group by chain_id
),

subjects as (
    select
        chain_id,
        chain_id as subject_id
    from replies
    union all
    select
        chain_id,
        sample_id as subject_id
    from replies
    union all
    select
        chain_id,
        generation_id as subject_id
    from generations
    where role in ('teacher', 'student')
),

judged as (
    select
        subjects.chain_id,
        bool_and(verdicts.passed)
        filter (where list_contains(answer_rules(), verdicts.rule)) as answer_right,
        bool_and(verdicts.passed)
        filter (where list_contains(roi_rules(), verdicts.rule)) as roi_valid,
        count(*) filter (where verdicts.passed) as rules_passed,
        count(*) filter (where not verdicts.passed) as rules_failed,
        count(*) filter (where verdicts.passed is null) as rules_undecided,
        coalesce(
            list(distinct verdicts.rule order by verdicts.rule)
            filter (where not verdicts.passed and list_contains(deciding_rules(), verdicts.rule)),
            []
        ) as failed_rules,
        arg_min(verdicts.detail, (verdicts.rule, verdicts.subject_id))
        filter (where not verdicts.passed and list_contains(deciding_rules(), verdicts.rule))
            as failed_detail
    from subjects
    inner join verdicts on subjects.subject_id = verdicts.subject_id
    group by subjects.chain_id
)

select
    replies.chain_id,
    replies.sample_id,
    replies.role,
    replies.teacher,
    replies.draw,
    replies.rounds,
    replies.zooms,
    replies.turns,
    replies.stage,
    replies.outcome,
    answers.answer,
    answers.answer is not null as complete,
    judged.answer_right,
    judged.roi_valid,
    coalesce(judged.rules_passed, 0) as rules_passed,
    coalesce(judged.rules_failed, 0) as rules_failed,
    coalesce(judged.rules_undecided, 0) as rules_undecided,
    coalesce(judged.failed_rules, []) as failed_rules,
    judged.failed_detail,
    coalesce(
        answers.answer is not null and judged.answer_right and len(judged.failed_rules) = 0,
        false
    ) as accepted,
    replies.tokens_in,
    replies.tokens_out,
    replies.cost_usd
from replies
left join answers on replies.chain_id = answers.chain_id
left join judged on replies.chain_id = judged.chain_id;
