-- depth_trust: what a stricter margin buys: fewer decided relations, fewer of them wrong.
-- Grain: one row per weights, preprocessing, noise level and least margin.
-- kept: share of all comparable pairs that the rule decides with more than this margin.
-- expected_error: share of these whose order the noise turns.
create or replace view depth_trust as
with known as (
    select
        model,
        weights_sha,
        preproc_id,
        noise_sd,
        sum(n_pairs) as n_known
    from depth_flips
    group by
        model,
        weights_sha,
        preproc_id,
        noise_sd
),

thresholds as (
    select distinct
        weights_sha,
        preproc_id,
        noise_sd,
        margin_over
    from depth_flips
    where pairs = 'decided'
)

select
    known.model,
    known.weights_sha,
    known.preproc_id,
    known.noise_sd,
    thresholds.margin_over,
    sum(depth_flips.n_pairs)::bigint as n_pairs,
    sum(depth_flips.n_pairs) / any_value(known.n_known) as kept,
    sum(depth_flips.flipped * depth_flips.n_pairs) / sum(depth_flips.n_pairs) as expected_error
from known
inner join thresholds
    on
        known.weights_sha = thresholds.weights_sha
        and known.preproc_id = thresholds.preproc_id
        and known.noise_sd = thresholds.noise_sd
inner join depth_flips
    on
        known.model = depth_flips.model
        and known.weights_sha = depth_flips.weights_sha
        and known.preproc_id = depth_flips.preproc_id
        and known.noise_sd = depth_flips.noise_sd
        and depth_flips.pairs = 'decided'
        and thresholds.margin_over <= depth_flips.margin_over
group by
    known.model,
    known.weights_sha,
    known.preproc_id,
    known.noise_sd,
    thresholds.margin_over;
