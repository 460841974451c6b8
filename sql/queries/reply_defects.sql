-- Purpose: which teacher writes replies with defects, and do such chains get through?
-- Grain: one row per teacher and defect (loop, role token, echo of the prompt, thinking without an
-- end); shares are of the teacher's chains that verify looked at (rule reply_clean).
-- Parameters: none.
with looked_at as (
    select
        chains.chain_id,
        chains.teacher,
        chains.accepted,
        verdicts.passed,
        verdicts.detail
    from chains
    inner join verdicts on chains.chain_id = verdicts.subject_id
    where verdicts.rule = 'reply_clean'
),

totals as (
    select
        teacher,
        count(*) as n_chains
    from looked_at
    group by teacher
),

found as (
    select
        chain_id,
        teacher,
        accepted,
        detail,
        unnest(string_split(detail, '; ')) as finding
    from looked_at
    where not passed
)

select
    found.teacher,
    split_part(found.finding, ' in ', 1) as defect,
    count(*) as n_replies,
    count(distinct found.chain_id) as n_chains,
    percent(count(distinct found.chain_id), any_value(totals.n_chains)) as chains_percent,
    count(distinct found.chain_id) filter (where found.accepted) as n_accepted,
    min(found.chain_id) as example_chain_id,
    arg_min(found.detail, found.chain_id) as example_detail
from found
inner join totals on found.teacher = totals.teacher
group by
    found.teacher,
    defect
order by
    n_chains desc,
    found.teacher asc,
    defect asc;
