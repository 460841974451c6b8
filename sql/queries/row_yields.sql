-- Purpose: what did each source row give, and what was paid for it?
-- Grain: one row per source row. Parameters: none.
-- n_calls and cost_usd are of all calls about the row, whoever bought them; cost_usd is null if the
-- price of one of them is unknown. n_accepted counts questions with an accepted trace.
with listed as (
    select row_key
    from samples
    union
    select item_id as row_key
    from failures
    where step = 'ingest'
),

subjects as (
    select
        sample_id as subject_id,
        row_key
    from samples
    union
    select
        chains.chain_id as subject_id,
        samples.row_key
    from chains
    inner join samples on chains.sample_id = samples.sample_id
),

paid as (
    select
        subjects.row_key,
        count(*) as n_calls,
        case when count(*) = count(ledger.cost_usd) then sum(ledger.cost_usd) end as cost_usd
    from ledger
    inner join subjects on ledger.subject_id = subjects.subject_id
    group by subjects.row_key
),

accepted as (
    select
        samples.row_key,
        count(distinct samples.sample_id) as n_accepted
    from samples
    inner join accepted_traces on samples.sample_id = accepted_traces.sample_id
    group by samples.row_key
)

select
    listed.row_key,
    coalesce(accepted.n_accepted, 0) as n_accepted,
    coalesce(paid.n_calls, 0) as n_calls,
    case when paid.row_key is null then 0 else paid.cost_usd end as cost_usd
from listed
left join paid on listed.row_key = paid.row_key
left join accepted on listed.row_key = accepted.row_key
order by listed.row_key;
