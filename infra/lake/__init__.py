"""The lake: object stores, Delta tables, and what is staged before a commit."""
