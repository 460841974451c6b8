-- rewritten_traces: accepted reasoning in a rewriter's words.
-- Grain: one row per chain of accepted_traces and draw of the rewriter that kept its answer.
-- rounds: the rounds in order, with what the teacher wrote and what the rewriter made of it.
create or replace view rewritten_traces as
with originals as (
    select
        steps.chain_id,
        steps.round,
        string_agg(steps.text, chr(10) order by steps.position) as reasoning
    from steps
    inner join accepted_traces on steps.chain_id = accepted_traces.chain_id
    where steps.kind = 'reasoning'
    group by
        steps.chain_id,
        steps.round
),

reworded as (
    select
        generations.subject_id as chain_id,
        generations.generation_id,
        generations.teacher as rewriter,
        generations.draw,
        steps.sample_id,
        steps.round,
        steps.text as reasoning
    from steps
    inner join generations on steps.generation_id = generations.generation_id
    where
        generations.role = 'rewriter'
        and steps.kind = 'reasoning'
),

kept as (
    select subject_id as chain_id
    from verdicts
    where
        rule = 'rewrite_keeps_answer'
        and passed
)

select
    reworded.generation_id,
    reworded.chain_id,
    reworded.sample_id,
    reworded.rewriter,
    reworded.draw,
    list(
        {
            'round': reworded.round,
            'reasoning': originals.reasoning,
            'reworded': reworded.reasoning
        }
        order by reworded.round
    ) as rounds
from reworded
inner join kept on reworded.chain_id = kept.chain_id
inner join originals
    on
        reworded.chain_id = originals.chain_id
        and reworded.round = originals.round
group by
    reworded.generation_id,
    reworded.chain_id,
    reworded.sample_id,
    reworded.rewriter,
    reworded.draw;
