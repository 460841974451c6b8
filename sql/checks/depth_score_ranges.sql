-- check: scores of depth are finite numbers within the range of their measure.
-- severity: fail
select
    'depth_scores' as table_name,
    score_id as item_id,
    concat_ws(', ', audit, measure, 'value ' || value, 'noise ' || noise_sd, 'n ' || n) as detail
from depth_scores
where
    audit not in ('noise', 'truth', 'human')
    or n < 0
    or not isfinite(value)
    or (measure = 'spearman' and not (value between -1 and 1))
    or (measure not in ('spearman', 'abs_rel', 'object_error', 'median_shift') and value > 1)
    or (measure <> 'spearman' and value < 0)
    or (audit = 'noise') <> (noise_sd is not null)
    or bin_high <= bin_low;
