"""Read-only SQL over a pinned state of the lake."""
