-- check: a repaired reply follows the reply of the same round that was sent back.
-- severity: fail
select
    'generations' as table_name,
    repairs.generation_id as item_id,
    'no turn ' || repairs.turn - 1 || ' of round ' || repairs.round || ' in its chain' as detail
from generations as repairs
left join generations as earlier
    on
        repairs.chain_id = earlier.chain_id
        and repairs.round = earlier.round
        and coalesce(earlier.turn, 0) = repairs.turn - 1
where
    repairs.turn > 0
    and earlier.generation_id is null;
