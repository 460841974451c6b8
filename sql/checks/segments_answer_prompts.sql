-- check: a segment that answers a detection names one of its image, and every prompt is whole.
-- severity: fail
select
    'segments' as table_name,
    concat_ws(' / ', segments.image_id, segments.segment_id) as item_id,
    case
        when segments.prompt_kind not in ('detection', 'sample')
            then 'unknown kind of prompt ' || segments.prompt_kind
        when segments.prompt_kind is null
            then 'a prompt without its kind'
        when segments.prompt_id is null or segments.prompt_box is null
            then 'a kind of prompt without its item or box'
        else 'detection ' || segments.prompt_id || ' is not in detections'
    end as detail
from segments
left join detections
    on
        segments.image_id = detections.image_id
        and segments.prompt_id = detections.detection_id::varchar
where
    coalesce(segments.prompt_kind not in ('detection', 'sample'), false)
    or (segments.prompt_kind is null) <> (segments.prompt_id is null)
    or (segments.prompt_kind is null) <> (segments.prompt_box is null)
    or (segments.prompt_kind = 'detection' and detections.detection_id is null);
