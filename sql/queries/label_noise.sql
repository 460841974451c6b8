-- Purpose: which annotations does somebody contradict, the teacher or another row?
-- Grain: one row per sample, kind of dispute and contradicting answer. Parameters: none.
select
    dataset,
    kind,
    question,
    reference_answer,
    other_answer,
    n,
    sample_id,
    example_id
from label_disputes
order by
    dataset asc,
    kind asc,
    n desc,
    sample_id asc,
    other_answer asc;
