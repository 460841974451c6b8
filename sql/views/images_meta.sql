-- images_meta: stored images without their bytes, and how each came to be.
-- Grain: one row per stored image (crops of zoom rounds included).
create or replace view images_meta as
select
    image_id,
    width,
    height,
    format,
    n_bytes,
    n_frames,
    pixel_sha,
    phash,
    exif_orientation,
    source,
    source_key,
    licence,
    parent_image_id,
    crop_box,
    parent_image_id is not null as is_crop,
    origin_sha,
    origin_width,
    origin_height,
    origin_box,
    origin_time_s,
    part,
    run_id
from images;
