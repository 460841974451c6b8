-- check: boxes are four ordered numbers inside their image or view.
-- Regions as the teacher stated them (steps.box_stated) may be anything and are not checked.
-- severity: fail
with boxes as (
    select
        'samples.boxes' as table_name,
        sample_id as item_id,
        unnest(boxes) as box,
        image_width as width,
        image_height as height
    from samples
    union all
    select
        'images.crop_box' as table_name,
        image_id as item_id,
        crop_box as box,
        1 as width,
        1 as height
    from images
    where crop_box is not null
    union all
    select
        'images.origin_box' as table_name,
        image_id as item_id,
        origin_box as box,
        origin_width as width,
        origin_height as height
    from images
    where origin_sha is not null
    union all
    select
        'segments.box' as table_name,
        concat_ws(' / ', image_id, segment_id) as item_id,
        box,
        1 as width,
        1 as height
    from segments
    union all
    select
        'segments.prompt_box' as table_name,
        concat_ws(' / ', image_id, segment_id) as item_id,
        prompt_box as box,
        1 as width,
        1 as height
    from segments
    where prompt_box is not null
    union all
    select
        'detections.box' as table_name,
        concat_ws(' / ', image_id, detection_id) as item_id,
        box,
        1 as width,
        1 as height
    from detections
    union all
    select
        'objects.box' as table_name,
        concat_ws(' / ', image_id, object_id) as item_id,
        box,
        1 as width,
        1 as height
    from objects
    union all
    select
        'generations.view_box' as table_name,
        generation_id as item_id,
        view_box as box,
        1 as width,
        1 as height
    from generations
    where view_box is not null
    union all
    select
        'steps.box' as table_name,
        concat_ws(' / ', generation_id, position) as item_id,
        box,
        1 as width,
        1 as height
    from steps
    where box is not null
    union all
    select
        'steps.box_original' as table_name,
        concat_ws(' / ', generation_id, position) as item_id,
        box_original as box,
        1 as width,
        1 as height
    from steps
    where box_original is not null
)

select
    table_name,
    item_id,
    'found ' || coalesce(box::varchar, 'null') || ' in ' || width || ' x ' || height as detail
from boxes
where not box_fits(box, width, height, 1e-6);
