-- chain_ranks: which of several chains that say the same is the one to keep.
-- Grain: one row per teacher's chain of a sample that deduplication kept; rank_no 1 is the first.
-- Released chains come first, so that no later release swaps a chain for its twin; then verdicts
-- (accepted, answer right, RoI valid, the score of the judge), then the lowest id.
create or replace view chain_ranks as
with chain_parts as (
    select
        chain_id,
        min(part) as part
    from generations
    where role = 'teacher'
    group by chain_id
),

scores as (
    select
        subject_id as chain_id,
        max(score) as judge_score
    from verdicts
    where rule = 'judge'
    group by subject_id
),

facts as (
    select
        chains.chain_id,
        chains.sample_id,
        released_parts.part is not null as released,
        chains.accepted,
        coalesce(chains.answer_right, false) as answer_right,
        coalesce(chains.roi_valid, false) as roi_valid,
        scores.judge_score
    from chains
    inner join chain_parts on chains.chain_id = chain_parts.chain_id
    left join released_parts
        on
            released_parts.table_name = 'generations'
            and chain_parts.part = released_parts.part
    left join scores on chains.chain_id = scores.chain_id
    left join dropped_items
        on
            dropped_items.item_kind = 'sample'
            and chains.sample_id = dropped_items.item_id
    where
        chains.role = 'teacher'
        and dropped_items.item_id is null
)

select
    chain_id,
    sample_id,
    released,
    accepted,
    answer_right,
    roi_valid,
    judge_score,
    row_number() over (
        order by
            released desc,
            accepted desc,
            answer_right desc,
            roi_valid desc,
            judge_score desc nulls last,
            chain_id asc
    ) as rank_no
from facts;
