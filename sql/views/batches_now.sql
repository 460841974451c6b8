-- batches_now: where every batch of teacher calls stands and what it holds or brought.
-- Grain: one row per batch.
-- is_open: its calls are paid or about to be, so nothing else buys them.
-- n_rejected, n_unanswered: requests without an answer once the batch is over; unanswered ones are
-- sent again. held_usd is what an open batch counts against a cap.
create or replace view batches_now as
with results as (
    select
        batch_key,
        count(*) filter (where result = 'rejected') as n_rejected,
        count(*) filter (where result = 'unanswered') as n_unanswered
    from batch_requests
    group by batch_key
)

select
    batches.batch_key,
    batches.state,
    batches.state in ('intended', 'uploaded', 'submitted') as is_open,
    batches.provider_status,
    batches.provider_id,
    batches.endpoint,
    batches.teacher,
    batches.recipe,
    batches.step,
    batches.n_requests,
    batches.n_answered,
    coalesce(results.n_rejected, 0) as n_rejected,
    coalesce(results.n_unanswered, 0) as n_unanswered,
    case
        when batches.state in ('intended', 'uploaded', 'submitted') then batches.worst_case_usd
        else 0.0
    end as held_usd,
    batches.cost_usd,
    batches.intended_at,
    batches.changed_at,
    batches.detail
from batches
left join results on batches.batch_key = results.batch_key;
