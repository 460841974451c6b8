-- Rules of `verdicts` that decide whether a chain is accepted, and the stage each belongs to.
-- Every other rule is information: it never drops a chain. roi_contains_target and roi_iou judge
-- the region as the teacher stated it, and the chain goes on with the region as it was fixed.
-- reply_clean is information too; a recipe with steps.verify.clean_replies has verify write
-- reply_clean_required as well, which decides.

create or replace macro answer_rules() as
['answer_match'];

create or replace macro roi_rules() as
['roi_valid'];

create or replace macro fact_rules() as
['boxes_cited_valid', 'depth_cited_agrees'];

create or replace macro reply_rules() as
['reply_clean_required'];

create or replace macro deciding_rules() as
list_concat(answer_rules(), roi_rules(), fact_rules(), reply_rules());
