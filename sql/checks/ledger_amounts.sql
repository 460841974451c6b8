-- check: no call has a negative price, token count or duration.
-- severity: fail
select
    'ledger' as table_name,
    concat_ws(' / ', request_key, draw) as item_id,
    concat_ws(', ', cost_usd || ' USD', tokens_in || ' in', tokens_out || ' out') as detail
from ledger
where
    cost_usd < 0
    or tokens_in < 0
    or tokens_out < 0
    or tokens_reasoning < 0
    or latency_ms < 0
    or draw < 0;
