-- check: every failure has a code that the errors module lists (a test keeps this list current).
-- severity: fail
select
    'failures' as table_name,
    concat_ws(' / ', step, item_id) as item_id,
    'unknown code ' || code as detail
from failures
where
    code not in (
        'image_missing',
        'image_unreadable',
        'image_truncated',
        'image_too_large',
        'image_too_small',
        'image_unsupported',
        'image_size_mismatch',
        'path_outside_source',
        'row_malformed',
        'row_duplicated',
        'box_malformed',
        'box_degenerate',
        'box_outside',
        'box_convention',
        'worker_error',
        'depth_missing',
        'segment_missing',
        'teacher_error',
        'teacher_refused',
        'teacher_truncated',
        'reply_empty',
        'reply_malformed',
        'roi_malformed',
        'chain_incomplete',
        'ask_skipped',
        'video_unreadable',
        'video_unsupported',
        'video_too_large',
        'video_damaged'
    );
