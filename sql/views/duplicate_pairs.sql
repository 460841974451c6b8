-- duplicate_pairs: both members of every pair of duplicates, side by side.
-- Grain: one row per member that is not the kept one, and method.
-- decision: drop or report. Texts are the question of a sample and what a chain says; null for an
-- image. Image ids are those of the item itself, its sample or its chain's sample.
create or replace view duplicate_pairs as
with said as (
    select
        chain_id as item_id,
        string_agg(text, chr(10) order by round asc, position asc) as text
    from steps
    where kind in ('reasoning', 'answer')
    group by chain_id
),

subjects as (
    select distinct
        chain_id,
        sample_id
    from steps
),

items as (
    select
        'image' as item_kind,
        image_id as item_id,
        null as sample_id,
        null as text,
        null as answer,
        [image_id] as image_ids
    from images
    union all
    select
        'sample' as item_kind,
        sample_id as item_id,
        sample_id,
        question as text,
        answer,
        image_ids
    from samples
    union all
    select
        'chain' as item_kind,
        subjects.chain_id as item_id,
        subjects.sample_id,
        said.text,
        chains.answer,
        samples.image_ids
    from subjects
    left join said on subjects.chain_id = said.item_id
    left join chains on subjects.chain_id = chains.chain_id
    left join samples on subjects.sample_id = samples.sample_id
)

select
    duplicates.item_kind,
    duplicates.method,
    coalesce(duplicates.decision, 'drop') as decision,
    duplicates.cluster_id,
    duplicates.item_id,
    duplicates.kept_id,
    duplicates.similarity,
    duplicates.band,
    duplicates.algorithm,
    duplicates.evidence,
    item.sample_id as item_sample_id,
    kept.sample_id as kept_sample_id,
    item.text as item_text,
    kept.text as kept_text,
    item.answer as item_answer,
    kept.answer as kept_answer,
    item.image_ids as item_image_ids,
    kept.image_ids as kept_image_ids
from duplicates
left join items as item
    on
        duplicates.item_kind = item.item_kind
        and duplicates.item_id = item.item_id
left join items as kept
    on
        duplicates.item_kind = kept.item_kind
        and duplicates.kept_id = kept.item_id
where duplicates.item_id <> duplicates.kept_id;
