-- check: every request that a collected batch answered is a call of the ledger.
-- severity: fail
select
    'batch_requests' as table_name,
    concat_ws(' / ', batch_requests.batch_key, batch_requests.custom_id) as item_id,
    'call ' || batch_requests.request_key || ' is not in the ledger' as detail
from batch_requests
left join ledger
    on
        batch_requests.request_key = ledger.request_key
        and batch_requests.draw = ledger.draw
where
    batch_requests.result = 'answered'
    and ledger.request_key is null;
