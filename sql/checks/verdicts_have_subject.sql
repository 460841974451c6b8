-- check: every verdict judges a chain, a generation or a sample of this lake.
-- severity: fail
with subjects as (
    select
        'chain' as subject_kind,
        chain_id as subject_id
    from generations
    union
    select
        'generation' as subject_kind,
        generation_id as subject_id
    from generations
    union
    select
        'sample' as subject_kind,
        sample_id as subject_id
    from samples
)

select
    'verdicts' as table_name,
    concat_ws(' / ', verdicts.subject_id, verdicts.rule) as item_id,
    'no such ' || verdicts.subject_kind as detail
from verdicts
left join subjects
    on
        verdicts.subject_id = subjects.subject_id
        and verdicts.subject_kind = subjects.subject_kind
where subjects.subject_id is null;
