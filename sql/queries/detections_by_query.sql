-- Purpose: how often was each query of the detector found, how surely, and how many masks answer?
-- Grain: one row per model and query, most found first. Parameters: none.
with asked as (
    select
        image_id,
        prompt_id,
        count(*) as masks
    from segments
    where prompt_kind = 'detection'
    group by
        image_id,
        prompt_id
)

select
    detections.model,
    detections.query,
    count(*) as boxes,
    count(distinct detections.image_id) as images,
    round(median(detections.score), 3) as median_score,
    coalesce(sum(asked.masks), 0)::bigint as masks
from detections
left join asked
    on
        detections.image_id = asked.image_id
        and detections.detection_id::varchar = asked.prompt_id
group by
    detections.model,
    detections.query
order by
    boxes desc,
    detections.model asc,
    detections.query asc;
