"""Who is dropped for whom: grouping, verification and resolution of near duplicates.

`resolve.settle` decides over all items at once, `shards` spreads whole components over workers,
and `extend` re-decides only the components that a change touches.  All three give the same rows.
"""
