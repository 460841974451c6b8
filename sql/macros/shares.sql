-- Shares, and the one threshold that SQL and the zoom step must agree on.

-- `part` of `whole` in percent, two decimals; null if there is nothing to be part of.
create or replace macro percent(part, whole) as
round(100.0 * part / nullif(whole, 0), 2);

-- Share of the image above which one look is enough (arXiv:2511.17731; strict comparison).
create or replace macro zoom_gate_limit() as
0.30;
