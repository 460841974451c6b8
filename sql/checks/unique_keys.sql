-- check: the key of every table is unique; two writers or a re-run may never double a row.
-- The ledger's key may stand twice, since a call may be paid twice: calls_paid_once says so.
-- severity: fail
with keyed as (
    select
        'images' as table_name,
        image_id as item_id
    from images
    union all
    select
        'samples' as table_name,
        sample_id as item_id
    from samples
    union all
    select
        'image_keys' as table_name,
        image_id as item_id
    from image_keys
    union all
    select
        'text_keys' as table_name,
        item_id
    from text_keys
    union all
    select
        'embeddings' as table_name,
        concat_ws(' / ', item_id, model) as item_id
    from embeddings
    union all
    select
        'thresholds' as table_name,
        concat_ws(' / ', item_kind, model) as item_id
    from thresholds
    union all
    select
        'duplicates' as table_name,
        concat_ws(' / ', item_id, method) as item_id
    from duplicates
    union all
    select
        'depth_maps' as table_name,
        concat_ws(' / ', image_id, model) as item_id
    from depth_maps
    union all
    select
        'detections' as table_name,
        concat_ws(' / ', image_id, detection_id) as item_id
    from detections
    union all
    select
        'segments' as table_name,
        concat_ws(' / ', image_id, segment_id) as item_id
    from segments
    union all
    select
        'objects' as table_name,
        concat_ws(' / ', image_id, object_id) as item_id
    from objects
    union all
    select
        'relations' as table_name,
        concat_ws(' / ', image_id, subject_object_id, object_object_id, kind) as item_id
    from relations
    union all
    select
        'depth_scores' as table_name,
        score_id as item_id
    from depth_scores
    union all
    select
        'generations' as table_name,
        generation_id as item_id
    from generations
    union all
    select
        'steps' as table_name,
        concat_ws(' / ', generation_id, position) as item_id
    from steps
    union all
    select
        'verdicts' as table_name,
        concat_ws(' / ', subject_id, rule) as item_id
    from verdicts
    union all
    select
        'pairs' as table_name,
        pair_id as item_id
    from pairs
    union all
    select
        'benchmarks' as table_name,
        benchmark_id as item_id
    from benchmarks
    union all
    select
        'contamination' as table_name,
        concat_ws(' / ', item_id, benchmark_id, rule) as item_id
    from contamination
    union all
    select
        'batches' as table_name,
        batch_key as item_id
    from batches
    union all
    select
        'batch_requests' as table_name,
        concat_ws(' / ', batch_key, custom_id) as item_id
    from batch_requests
    union all
    select
        'failures' as table_name,
        concat_ws(' / ', step, item_id, run_id, code) as item_id
    from failures
    union all
    select
        'runs' as table_name,
        run_id as item_id
    from runs
    union all
    select
        'releases' as table_name,
        release_id as item_id
    from releases
)

select
    table_name,
    item_id,
    'key stands in ' || count(*) || ' rows' as detail
from keyed
group by
    table_name,
    item_id
having count(*) > 1;
