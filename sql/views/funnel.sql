-- funnel: how many samples reach each stage, and where the others were lost.
-- Grain: one row per stage, in order. Counts are samples; stage 1 adds the source rows that ingest
-- refused, each of which counts once, whatever it would have given.
-- Stage 5 decides nothing (decides = false), so stage 6 is compared with stage 4.
-- lost_to: reasons with counts, most frequent first.
create or replace view funnel as
with stages as (
    select
        listed.stage_no,
        listed.stage,
        listed.title,
        listed.decides
    from (
        values
        (1, 'seen', 'seen in the sources', true),
        (2, 'ingested', 'ingested', true),
        (3, 'kept', 'kept after dedup', true),
        (4, 'askable', 'with image and question', true),
        (5, 'annotated', 'annotated with depth or objects', false),
        (6, 'begun', 'chain begun', true),
        (7, 'complete', 'chain complete', true),
        (8, 'answer_right', 'answer right', true),
        (9, 'roi_valid', 'RoI valid', true),
        (10, 'accepted', 'accepted', true),
        (11, 'own_rationale', 'with a rationale of its own', true)
    ) as listed (stage_no, stage, title, decides)
),

totals as (
    select
        count(*) as ingested,
        count(*) filter (where kept) as kept,
        count(*) filter (where askable) as askable,
        count(*) filter (where annotated) as annotated,
        count(*) filter (where begun) as begun,
        count(*) filter (where complete) as complete,
        count(*) filter (where answer_right) as answer_right,
        count(*) filter (where roi_valid) as roi_valid,
        count(*) filter (where accepted) as accepted,
        count(*) filter (where own_rationale) as own_rationale
    from sample_fates
),

refused as (
    select count(distinct item_id) as n_rows
    from failures
    where step = 'ingest'
),

seen as (
    select totals.ingested + refused.n_rows as n_rows
    from totals
    cross join refused
),

counted as (
    select
        stages.stage_no,
        stages.stage,
        stages.title,
        stages.decides,
        case stages.stage
            when 'seen' then seen.n_rows
            when 'ingested' then totals.ingested
            when 'kept' then totals.kept
            when 'askable' then totals.askable
            when 'annotated' then totals.annotated
            when 'begun' then totals.begun
            when 'complete' then totals.complete
            when 'answer_right' then totals.answer_right
            when 'roi_valid' then totals.roi_valid
            when 'accepted' then totals.accepted
            when 'own_rationale' then totals.own_rationale
        end as n_rows
    from stages
    cross join totals
    cross join seen
),

reasons as (
    select
        lost_at as stage,
        reason,
        count(*) as n_rows
    from sample_fates
    where lost_at is not null
    group by
        lost_at,
        reason
    union all
    select
        'ingested' as stage,
        code as reason,
        count(distinct item_id) as n_rows
    from failures
    where step = 'ingest'
    group by code
),

losses as (
    select
        stage,
        string_agg(reason || ' ' || n_rows, ', ' order by n_rows desc, reason asc) as lost_to
    from reasons
    group by stage
),

compared as (
    select
        stage_no,
        stage,
        title,
        decides,
        n_rows,
        case
            when decides
                then lag(n_rows) over (partition by decides order by stage_no)
            else lag(n_rows) over (order by stage_no)
        end as n_rows_before,
        first(n_rows) over (order by stage_no) as n_rows_seen
    from counted
)

select
    compared.stage_no,
    compared.stage,
    compared.title,
    compared.decides,
    compared.n_rows,
    percent(compared.n_rows, compared.n_rows_seen) as percent_of_seen,
    percent(compared.n_rows, compared.n_rows_before) as percent_of_before,
    greatest(coalesce(compared.n_rows_before - compared.n_rows, 0), 0) as n_lost,
    losses.lost_to
from compared
left join losses on compared.stage = losses.stage
order by compared.stage_no;
