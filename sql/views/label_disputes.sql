-- label_disputes: annotations that somebody contradicts.
-- Grain: one row per sample, kind of dispute and contradicting answer.
-- kind teacher: every complete chain of the sample was judged wrong; n is how many gave the answer.
-- kind twin: same images, question and choices, different answer; n is how many samples say so.
create or replace view label_disputes as
with wrong_everywhere as (
    select
        sample_id,
        count(*) as n_judged
    from chains
    where
        role = 'teacher'
        and complete
    group by sample_id
    having bool_and(answer_right is not distinct from false)
),

by_teachers as (
    select
        chains.sample_id,
        'teacher' as kind,
        chains.answer as other_answer,
        count(*) as n,
        min(chains.chain_id) as example_id
    from chains
    inner join wrong_everywhere on chains.sample_id = wrong_everywhere.sample_id
    where
        chains.role = 'teacher'
        and chains.complete
    group by
        chains.sample_id,
        chains.answer
),

keyed as (
    select
        sample_id,
        image_ids,
        coalesce(choices, []) as choices,
        lower(trim(regexp_replace(question, '\s+', ' ', 'g'))) as question_key,
        lower(trim(regexp_replace(answer, '\s+', ' ', 'g'))) as answer_key,
        answer
    from samples
    where
        len(image_ids) > 0
        and question is not null
        and answer is not null
),

by_twins as (
    select
        mine.sample_id,
        'twin' as kind,
        min(other.answer) as other_answer,
        count(*) as n,
        min(other.sample_id) as example_id
    from keyed as mine
    inner join keyed as other
        on
            mine.question_key = other.question_key
            and mine.image_ids = other.image_ids
            and mine.choices = other.choices
            and mine.answer_key <> other.answer_key
    group by
        mine.sample_id,
        other.answer_key
),

disputes as (
    select
        sample_id,
        kind,
        other_answer,
        n,
        example_id
    from by_teachers
    union all
    select
        sample_id,
        kind,
        other_answer,
        n,
        example_id
    from by_twins
)

select
    disputes.sample_id,
    samples.dataset,
    disputes.kind,
    samples.question,
    samples.answer as reference_answer,
    disputes.other_answer,
    disputes.n,
    disputes.example_id
from disputes
inner join samples on disputes.sample_id = samples.sample_id;
