-- depth_flips: what noise of a known size does to depth relations, by margin.
-- Grain: one row per weights, preprocessing, noise level, kind of pair and bin of margins.
-- flipped: share of pairs that change their order. reversed: share that the rule then decides the
-- other way. lost: share of decided pairs that the rule then leaves open.
create or replace view depth_flips as
select
    model,
    weights_sha,
    preproc_id,
    noise_sd,
    pairs,
    bin_low as margin_over,
    bin_high as margin_up_to,
    (sum(n) filter (where measure = 'order_flipped'))::bigint as n_pairs,
    sum(value * n) filter (where measure = 'order_flipped')
    / sum(n) filter (where measure = 'order_flipped') as flipped,
    sum(value * n) filter (where measure = 'claim_reversed')
    / sum(n) filter (where measure = 'claim_reversed') as reversed,
    sum(value * n) filter (where measure = 'claim_lost')
    / sum(n) filter (where measure = 'claim_lost') as lost
from depth_scores
where
    audit = 'noise'
    and bin_low is not null
    and n > 0
group by
    model,
    weights_sha,
    preproc_id,
    noise_sd,
    pairs,
    bin_low,
    bin_high;
