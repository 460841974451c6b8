-- check: objects are ranked by nearness, all of a picture or none, and only where depth holds.
-- severity: fail
with ranked as (
    select
        image_id,
        object_id,
        depth_status,
        depth_rank,
        rank() over (
            partition by
                image_id,
                depth_status
            order by depth_median desc
        ) as expected_rank,
        count(depth_rank) over (partition by image_id) as n_ranked
    from objects
)

select
    'objects' as table_name,
    concat_ws(' / ', image_id, object_id) as item_id,
    concat_ws(
        ' ', 'depth is', depth_status, 'and the rank', coalesce(depth_rank::varchar, 'missing')
    ) as detail
from ranked
where
    (depth_status = 'ok' and n_ranked > 0 and depth_rank is distinct from expected_rank)
    or (depth_status <> 'ok' and depth_rank is not null);
