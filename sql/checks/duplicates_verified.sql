-- check: every dropped row was verified: a known decision, and a similarity of at least the
-- threshold its run used. Thresholds come from runs.parameters_json. What embeddings alone call
-- alike is reported, never dropped.
-- severity: fail
with thresholds as (
    select
        run_id,
        case
            when not json_valid(parameters_json) then null
            else try_cast(json_extract_string(parameters_json, '$.similarity') as double)
        end as text_similarity,
        case
            when not json_valid(parameters_json) then null
            else try_cast(json_extract_string(parameters_json, '$.threshold') as double)
        end as cosine,
        case
            when not json_valid(parameters_json) then null
            else try_cast(
                coalesce(
                    json_extract_string(parameters_json, '$.images.max_bits'),
                    json_extract_string(parameters_json, '$.image_bits')
                ) as integer
            )
        end as image_bits
    from runs
),

judged as (
    select
        duplicates.item_id,
        duplicates.method,
        duplicates.similarity,
        duplicates.decision,
        duplicates.method like '%\_semantic' escape '\'
        and coalesce(duplicates.decision, 'drop') <> 'report' as is_unfit,
        case
            when duplicates.item_id = duplicates.kept_id then 1.0
            when
                duplicates.method in ('image_pixels', 'sample_exact')
                then 1.0
            when
                duplicates.method in ('image_phash', 'sample_same_picture')
                then 1.0 - thresholds.image_bits / 256.0
            when
                duplicates.method in ('sample_question', 'chain_same', 'chain_near')
                then thresholds.text_similarity
            when
                duplicates.method like '%\_semantic' escape '\'
                then thresholds.cosine - 1e-6
        end as least
    from duplicates
    left join thresholds on duplicates.run_id = thresholds.run_id
)

select
    'duplicates' as table_name,
    concat_ws(' / ', item_id, method) as item_id,
    case
        when coalesce(decision, 'drop') not in ('drop', 'report')
            then 'decision is ' || decision
        when is_unfit
            then 'a cosine alone dropped it'
        else 'similarity is ' || similarity || ', expected ' || coalesce(least, 0.0) || ' to 1'
    end as detail
from judged
where
    coalesce(decision, 'drop') not in ('drop', 'report')
    or is_unfit
    or not similarity between coalesce(least, 0.0) and 1.0;
