-- Purpose: how well do the teacher's regions match the ground truth, before and after fixing?
-- Grain: one row per dataset and round with a region. Parameters: none.
-- Boxes are compared on the original image; stated: as the teacher wrote it, fixed: as verified.
with regions as (
    select
        samples.dataset,
        steps.round,
        box_iou(
            box_from_view(steps.box_stated, generations.view_box),
            box_px_to_frac(
                union_box(samples.boxes), samples.image_width, samples.image_height
            )
        ) as stated_iou,
        box_iou(
            steps.box_original,
            box_px_to_frac(
                union_box(samples.boxes), samples.image_width, samples.image_height
            )
        ) as fixed_iou
    from steps
    inner join generations on steps.generation_id = generations.generation_id
    inner join samples on steps.sample_id = samples.sample_id
    where
        steps.kind = 'roi'
        and len(samples.boxes) > 0
)

select
    dataset,
    round,
    count(*) as n_regions,
    round(avg(stated_iou), 3) as mean_stated_iou,
    percent(count(*) filter (where stated_iou >= 0.5), count(*)) as stated_iou_50_percent,
    percent(count(*) filter (where stated_iou >= 0.75), count(*)) as stated_iou_75_percent,
    round(avg(fixed_iou), 3) as mean_fixed_iou
from regions
group by
    dataset,
    round
order by
    dataset,
    round;
