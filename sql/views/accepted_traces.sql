-- accepted_traces: reasoning traces ready for training.
-- Grain: one row per accepted chain of a sample that deduplication kept, unless another accepted
-- chain says the same about the picture and question.
-- rounds: the zoom rounds in order; roi is a fraction of that round's view, roi_original and
-- view_box are fractions of the original image. The last look has no region: see final_*.
create or replace view accepted_traces as
with texts as (
    select
        generation_id,
        string_agg(text, chr(10) order by position) filter (where kind = 'description')
            as description,
        string_agg(text, chr(10) order by position) filter (where kind = 'reasoning')
            as reasoning,
        arg_max(box, position) filter (where kind = 'roi') as roi,
        arg_max(box_original, position) filter (where kind = 'roi') as roi_original
    from steps
    group by generation_id
),

looks as (
    select
        generations.chain_id,
        generations.round,
        generations.stage,
        generations.view_image_id,
        generations.view_box,
        texts.description,
        texts.roi,
        texts.roi_original,
        texts.reasoning
    from generations
    inner join texts on generations.generation_id = texts.generation_id
),

zooms as (
    select
        chain_id,
        list(
            {
                'round': round,
                'view_image_id': view_image_id,
                'view_box': view_box,
                'description': description,
                'roi': roi,
                'roi_original': roi_original,
                'reasoning': reasoning
            }
            order by round
        ) as rounds
    from looks
    where stage = 'zoom'
    group by chain_id
),

finals as (
    select
        chain_id,
        view_image_id,
        view_box,
        description,
        reasoning
    from looks
    where stage <> 'zoom'
    qualify row_number() over (partition by chain_id order by round desc) = 1
)

select
    chains.chain_id,
    chains.sample_id,
    samples.dataset,
    samples.domain,
    samples.split,
    samples.question,
    samples.choices,
    samples.answer as reference_answer,
    chains.answer,
    samples.image_ids[1] as image_id,
    samples.image_width,
    samples.image_height,
    samples.boxes as boxes_px,
    coalesce(zooms.rounds, []) as rounds,
    finals.view_image_id as final_view_image_id,
    finals.view_box as final_view_box,
    finals.description as final_description,
    finals.reasoning as final_reasoning,
    chains.teacher,
    samples.licence,
    images_meta.licence as image_licence
from chains
inner join sample_fates as fates on chains.sample_id = fates.sample_id
inner join samples on chains.sample_id = samples.sample_id
left join images_meta on samples.image_ids[1] = images_meta.image_id
left join zooms on chains.chain_id = zooms.chain_id
left join finals on chains.chain_id = finals.chain_id
left join dropped_items
    on
        dropped_items.item_kind = 'chain'
        and chains.chain_id = dropped_items.item_id
where
    chains.accepted
    and chains.role = 'teacher'
    and fates.askable
    and dropped_items.item_id is null;
