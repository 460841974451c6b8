-- check: every reply that was paid for is in the ledger, with its draw.
-- Calls that gave no response (outcome error, skipped) were never paid for.
-- severity: fail
select
    'generations' as table_name,
    generations.generation_id as item_id,
    'no ledger row for ' || generations.request_key || ', draw ' || generations.draw as detail
from generations
left join ledger
    on
        generations.request_key = ledger.request_key
        and generations.draw = ledger.draw
where
    ledger.request_key is null
    and generations.outcome not in ('error', 'skipped');
