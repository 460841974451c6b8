-- zoom_gate: is the region that matters so large that one look at the image is enough?
-- Grain: one row per sample; needs no image bytes. A sample without boxes has nulls.
-- Rule: area(union of ground-truth boxes) / area(image) > 0.30, strict (arXiv:2511.17731).
create or replace view zoom_gate as
with unions as (
    select
        sample_id,
        dataset,
        image_width,
        image_height,
        union_box(boxes) as union_box_px
    from samples
)

select
    sample_id,
    dataset,
    image_width,
    image_height,
    union_box_px,
    box_area(union_box_px) as union_area_px,
    box_area(union_box_px) / (image_width * image_height) as area_share,
    box_area(union_box_px) / (image_width * image_height) > zoom_gate_limit() as single_round
from unions;
