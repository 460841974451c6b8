-- Purpose: which rationales are one text on several pictures or questions?
-- Grain: one row per text that stands under two or more groups. Parameters: none.
-- Such rows are never dropped: another picture or question makes another sample. share_percent is
-- of all keyed chains; a large share says that the teacher fills in a template.
with templates as (
    select
        exact_key,
        count(*) as n_chains,
        count(distinct image_ids) as n_pictures,
        count(distinct group_key) as n_questions,
        min(item_id) as example_chain_id
    from text_keys
    where
        item_kind = 'chain'
        and n_tokens > 0
    group by exact_key
),

totals as (
    select count(*) as n_chains
    from text_keys
    where item_kind = 'chain'
)

select
    templates.example_chain_id,
    templates.n_chains,
    templates.n_pictures,
    templates.n_questions,
    percent(templates.n_chains, totals.n_chains) as share_percent
from templates
cross join totals
where
    templates.n_pictures > 1
    or templates.n_questions > 1
order by
    templates.n_chains desc,
    templates.example_chain_id asc;
