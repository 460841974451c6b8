-- check: every part of every table names the run that wrote it, and that run is in runs.
-- The ledger is written by whoever pays, before the run that pays is recorded: it is left out.
-- severity: warn
with written as (
    select
        'images' as table_name,
        part,
        run_id
    from images
    union
    select
        'samples' as table_name,
        part,
        run_id
    from samples
    union
    select
        'image_keys' as table_name,
        part,
        run_id
    from image_keys
    union
    select
        'text_keys' as table_name,
        part,
        run_id
    from text_keys
    union
    select
        'embeddings' as table_name,
        part,
        run_id
    from embeddings
    union
    select
        'thresholds' as table_name,
        part,
        run_id
    from thresholds
    union
    select
        'duplicates' as table_name,
        part,
        run_id
    from duplicates
    union
    select
        'depth_maps' as table_name,
        part,
        run_id
    from depth_maps
    union
    select
        'detections' as table_name,
        part,
        run_id
    from detections
    union
    select
        'segments' as table_name,
        part,
        run_id
    from segments
    union
    select
        'objects' as table_name,
        part,
        run_id
    from objects
    union
    select
        'relations' as table_name,
        part,
        run_id
    from relations
    union
    select
        'depth_scores' as table_name,
        part,
        run_id
    from depth_scores
    union
    select
        'generations' as table_name,
        part,
        run_id
    from generations
    union
    select
        'steps' as table_name,
        part,
        run_id
    from steps
    union
    select
        'verdicts' as table_name,
        part,
        run_id
    from verdicts
    union
    select
        'pairs' as table_name,
        part,
        run_id
    from pairs
    union
    select
        'benchmarks' as table_name,
        part,
        run_id
    from benchmarks
    union
    select
        'contamination' as table_name,
        part,
        run_id
    from contamination
    union
    select
        'failures' as table_name,
        part,
        run_id
    from failures
)

select
    written.table_name,
    written.part as item_id,
    'run ' || written.run_id || ' is not in runs' as detail
from written
left join runs on written.run_id = runs.run_id
where runs.run_id is null;
