-- sample_fates: how far each sample came, and what ended its way.
-- Grain: one row per sample. The flags only ever turn from true to false from left to right,
-- except annotated, which decides nothing.
-- lost_at is the first stage of `funnel` the sample did not reach, null for a sample with a trace
-- in accepted_traces. kept_id names the twin of a dropped sample, kept_chain_id the chain that says
-- the same as the best one of this sample.
create or replace view sample_fates as
with dropped as (
    select
        item_id as sample_id,
        kept_id,
        method,
        evidence
    from dropped_items
    where item_kind = 'sample'
),

dropped_chains as (
    select
        item_id as chain_id,
        kept_id,
        method,
        evidence
    from dropped_items
    where item_kind = 'chain'
),

annotated_images as (
    select image_id
    from depth_maps
    union
    select image_id
    from objects
),

best_chains as (
    select
        chains.sample_id,
        chains.chain_id,
        chains.outcome,
        chains.complete,
        chains.answer_right,
        chains.roi_valid,
        chains.accepted,
        chains.failed_rules,
        dropped_chains.kept_id as kept_chain_id,
        dropped_chains.method as chain_method,
        dropped_chains.evidence as chain_evidence
    from chains
    left join dropped_chains on chains.chain_id = dropped_chains.chain_id
    where chains.role = 'teacher'
    qualify
        row_number() over (
            partition by chains.sample_id
            order by
                chains.accepted desc,
                dropped_chains.chain_id is null desc,
                coalesce(chains.answer_right, false) desc,
                chains.complete desc,
                chains.chain_id asc
        ) = 1
),

-- The most telling code of a sample: chain_incomplete only says that something else went wrong.
failed as (
    select
        coalesce(chains.sample_id, failures.item_id) as sample_id,
        arg_min(failures.code, (failures.code = 'chain_incomplete', failures.code)) as code,
        arg_min(
            failures.detail, (failures.code = 'chain_incomplete', failures.code)
        ) as detail
    from failures
    left join generations on failures.item_id = generations.generation_id
    left join chains on coalesce(generations.chain_id, failures.item_id) = chains.chain_id
    group by coalesce(chains.sample_id, failures.item_id)
),

facts as (
    select
        samples.sample_id,
        samples.dataset,
        samples.domain,
        dropped.kept_id,
        dropped.method,
        coalesce(dropped.evidence, contaminated.evidence) as evidence,
        'contaminated: ' || contaminated.benchmark || ' ' || contaminated.rule as contamination,
        failed.code,
        failed.detail,
        best_chains.chain_id,
        best_chains.outcome,
        best_chains.complete as has_answer,
        best_chains.answer_right as answer_judged,
        coalesce(best_chains.roi_valid, true) as has_valid_roi,
        best_chains.accepted as is_accepted,
        best_chains.failed_rules,
        best_chains.kept_chain_id,
        best_chains.chain_method,
        best_chains.chain_evidence,
        samples.question is not null as has_question,
        len(samples.image_ids) > 0 as has_image,
        dropped.sample_id is null and contaminated.sample_id is null as kept,
        annotated_images.image_id is not null as has_facts
    from samples
    left join dropped on samples.sample_id = dropped.sample_id
    left join contaminated_samples as contaminated on samples.sample_id = contaminated.sample_id
    left join annotated_images on samples.image_ids[1] = annotated_images.image_id
    left join best_chains on samples.sample_id = best_chains.sample_id
    left join failed on samples.sample_id = failed.sample_id
),

reached as (
    select
        facts.sample_id,
        facts.dataset,
        facts.domain,
        facts.kept_id,
        facts.method,
        facts.evidence,
        facts.contamination,
        facts.code,
        facts.detail,
        facts.chain_id,
        facts.outcome,
        facts.answer_judged,
        facts.failed_rules,
        facts.kept_chain_id,
        facts.chain_method,
        facts.chain_evidence,
        facts.has_question,
        facts.has_image,
        facts.kept,
        facts.kept and facts.has_question and facts.has_image as askable,
        askable and facts.has_facts as annotated,
        askable and facts.chain_id is not null as begun,
        begun and facts.has_answer as complete,
        complete and coalesce(facts.answer_judged, false) as answer_right,
        answer_right and facts.has_valid_roi as roi_valid,
        roi_valid and facts.is_accepted as accepted,
        accepted and facts.kept_chain_id is null as own_rationale
    from facts
)

select
    sample_id,
    dataset,
    domain,
    kept,
    askable,
    annotated,
    begun,
    complete,
    answer_right,
    roi_valid,
    accepted,
    own_rationale,
    case
        when not kept then 'kept'
        when not askable then 'askable'
        when not begun then 'begun'
        when not complete then 'complete'
        when not answer_right then 'answer_right'
        when not roi_valid then 'roi_valid'
        when not accepted then 'accepted'
        when not own_rationale then 'own_rationale'
    end as lost_at,
    case
        when not kept then coalesce('duplicate: ' || method, contamination)
        when not has_image then 'no image'
        when not has_question then 'no question'
        when not begun then coalesce(code, 'not asked')
        when not complete then coalesce(code, 'reply ' || outcome)
        when own_rationale then null
        when accepted then 'duplicate: ' || chain_method
        when answer_judged is null then 'answer not judged'
        else array_to_string(failed_rules, ', ')
    end as reason,
    case
        when not kept then evidence
        when not complete then detail
        when accepted then chain_evidence
    end as detail,
    kept_id,
    chain_id,
    kept_chain_id
from reached;
