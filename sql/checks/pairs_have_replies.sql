-- check: a preference names two different replies that exist.
-- severity: fail
select
    'pairs' as table_name,
    pairs.pair_id as item_id,
    case
        when pairs.chosen_id = pairs.rejected_id then 'chosen and rejected are one reply'
        else 'chosen or rejected is not in generations'
    end as detail
from pairs
left join generations as chosen on pairs.chosen_id = chosen.generation_id
left join generations as rejected on pairs.rejected_id = rejected.generation_id
where
    pairs.chosen_id = pairs.rejected_id
    or chosen.generation_id is null
    or rejected.generation_id is null;
