-- check: no call was paid twice; two machines without common claims may have bought one at once.
-- Both rows are kept, so the spend stays true; the detail says what the others cost.
-- severity: warn
with repeated as (
    select
        request_key,
        draw,
        count(*) as n_rows,
        sum(cost_usd) - arg_min(cost_usd, received_at) as cost_usd_again
    from ledger
    group by
        request_key,
        draw
    having count(*) > 1
)

select
    'ledger' as table_name,
    concat_ws(' / ', request_key, draw) as item_id,
    concat(
        n_rows,
        ' rows for one call; all but the first cost ',
        coalesce(round(cost_usd_again, 6)::varchar || ' USD', 'an unknown sum')
    ) as detail
from repeated;
