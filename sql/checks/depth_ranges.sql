-- check: depth maps and object depths are ordered ranges.
-- severity: fail
select
    'depth_maps' as table_name,
    concat_ws(' / ', image_id, model) as item_id,
    concat_ws(', ', 'lo ' || lo, 'hi ' || hi, 'p2 ' || p2, 'p98 ' || p98) as detail
from depth_maps
where
    not (lo <= hi and p2 <= p98)
    or not isfinite(lo)
    or not isfinite(hi)
    or width < 1
    or height < 1
union all
select
    'objects' as table_name,
    concat_ws(' / ', image_id, object_id) as item_id,
    concat_ws(
        ', ', 'p10 ' || depth_p10, 'median ' || depth_median, 'p90 ' || depth_p90
    ) as detail
from objects
where
    not (depth_p10 <= depth_median and depth_median <= depth_p90)
    or not (depth_median between 0 and 1)
    or (depth_status = 'ok' and depth_median is null);
