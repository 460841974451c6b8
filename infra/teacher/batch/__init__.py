"""Batches: calls that are sent in files, answered within a day and bought at a discount."""
