-- check: details of failures are one line of at most 500 characters.
-- severity: fail
select
    'failures' as table_name,
    concat_ws(' / ', step, item_id) as item_id,
    'found ' || length(detail) || ' characters' as detail
from failures
where
    length(detail) > 500
    or contains(detail, chr(10));
