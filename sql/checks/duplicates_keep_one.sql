-- check: what a duplicate was dropped for is kept itself and exists; chains of drops lose data.
-- severity: fail
with dropped as (
    select
        item_id,
        item_kind
    from dropped_items
),

items as (
    select
        'sample' as item_kind,
        sample_id as item_id
    from samples
    union
    select
        'image' as item_kind,
        image_id as item_id
    from images
    union
    select
        'chain' as item_kind,
        chain_id as item_id
    from generations
)

select
    'duplicates' as table_name,
    concat_ws(' / ', duplicates.item_id, duplicates.method) as item_id,
    case
        when items.item_id is null then 'the kept item ' || duplicates.kept_id || ' is missing'
        else 'the kept item ' || duplicates.kept_id || ' was dropped itself'
    end as detail
from duplicates
left join dropped
    on
        duplicates.kept_id = dropped.item_id
        and duplicates.item_kind = dropped.item_kind
left join items
    on
        duplicates.kept_id = items.item_id
        and duplicates.item_kind = items.item_kind
where
    coalesce(duplicates.decision, 'drop') = 'drop'
    and (
        dropped.item_id is not null
        or items.item_id is null
    );
