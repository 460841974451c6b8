-- Rules of `verdicts` that decide whether a chain is accepted, and the stage each belongs to.
-- A rule that is not named here is information: it never drops a chain.

create or replace macro answer_rules() as
['answer_match'];

create or replace macro roi_rules() as
['box_validity', 'roi_containment'];

create or replace macro deciding_rules() as
list_concat(answer_rules(), roi_rules());
