-- contamination_of_samples: which samples match a benchmark, by themselves, a picture or a chain?
-- Grain: one row per matching row of contamination and sample that it is about.
-- A picture tells of every sample that shows it, a chain of the sample it answers.
create or replace view contamination_of_samples as
with shown as (
    select
        sample_id,
        unnest(image_ids) as image_id
    from samples
),

answered as (
    select distinct
        chain_id,
        subject_id as sample_id
    from generations
    where role in ('teacher', 'student')
),

matched as (
    select
        case contamination.item_kind
            when 'image' then shown.sample_id
            when 'chain' then answered.sample_id
            else contamination.item_id
        end as sample_id,
        contamination.item_id,
        contamination.item_kind,
        contamination.benchmark_id,
        contamination.rule,
        contamination.benchmark_item,
        contamination.score,
        contamination.evidence,
        contamination.decision
    from contamination
    left join shown
        on
            contamination.item_kind = 'image'
            and contamination.item_id = shown.image_id
    left join answered
        on
            contamination.item_kind = 'chain'
            and contamination.item_id = answered.chain_id
)

select
    samples.sample_id,
    samples.dataset,
    samples.question,
    matched.item_id,
    matched.item_kind,
    matched.benchmark_id,
    benchmarks.name as benchmark,
    benchmarks.version as benchmark_version,
    matched.rule,
    matched.benchmark_item,
    matched.score,
    matched.evidence,
    matched.decision
from matched
inner join samples on matched.sample_id = samples.sample_id
inner join benchmarks on matched.benchmark_id = benchmarks.benchmark_id;
