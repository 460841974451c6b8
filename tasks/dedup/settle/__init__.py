"""Who is dropped for whom: grouping, verification and resolution of near duplicates.

`resolve.settle` decides over all items at once, `shards` spreads whole components over workers,
and `memory` re-decides only what a change may have changed.  All three give the same rows.
"""
