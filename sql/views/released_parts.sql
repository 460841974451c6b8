-- released_parts: parts of the lake that a release was made from.
-- Grain: one row per table and part. Reads releases.inputs_json, a list of objects with table and
-- part; anything else there names nothing.
create or replace view released_parts as
with inputs as (
    select
        unnest(
            case
                when json_valid(inputs_json) and json_type(inputs_json) = 'ARRAY'
                    then from_json(inputs_json, '["json"]')
                else []
            end
        ) as input
    from releases
)

select distinct
    json_extract_string(input, '$.table') as table_name,
    json_extract_string(input, '$.part') as part
from inputs
where json_extract_string(input, '$.part') is not null;
