-- check: stored images have the length, size and digest their row states.
-- severity: fail
select
    'images' as table_name,
    image_id as item_id,
    case
        when octet_length(bytes) <> n_bytes
            then 'n_bytes is ' || n_bytes || ', found ' || octet_length(bytes)
        when width < 1 or height < 1 then 'size is ' || width || ' x ' || height
        else 'sha256 of the bytes is ' || sha256(bytes)
    end as detail
from images
where
    octet_length(bytes) <> n_bytes
    or width < 1
    or height < 1
    or sha256(bytes) <> image_id;
