-- cost_by_step: what each step bought, what the ledger gave for nothing, and the price of a chain.
-- Grain: one row per step that asked a teacher.
-- cost_usd is null where no price is listed for any of the models; n_calls_unpriced counts them.
create or replace view cost_by_step as
with bought as (
    select
        step,
        string_agg(distinct teacher, ', ' order by teacher) as teachers,
        count(*) as n_calls,
        sum(tokens_in)::bigint as tokens_in,
        sum(tokens_out)::bigint as tokens_out,
        sum(tokens_reasoning)::bigint as tokens_reasoning,
        sum(cost_usd) as cost_usd,
        count(*) filter (where cost_usd is null) as n_calls_unpriced
    from ledger
    group by step
),

reused as (
    select
        step,
        sum(calls_reused)::bigint as n_calls_reused
    from runs
    where calls_reused is not null
    group by step
),

accepted as (
    select count(*) as n_chains
    from chains
    where accepted
)

select
    bought.step,
    bought.teachers,
    bought.n_calls,
    coalesce(reused.n_calls_reused, 0) as n_calls_reused,
    bought.tokens_in,
    bought.tokens_out,
    bought.tokens_reasoning,
    bought.cost_usd,
    bought.n_calls_unpriced,
    accepted.n_chains as n_accepted_chains,
    bought.cost_usd / nullif(accepted.n_chains, 0) as cost_usd_per_accepted_chain
from bought
left join reused on bought.step = reused.step
cross join accepted;
