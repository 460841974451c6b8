"""Servers of local models, placed beside their GPUs for the length of a run."""
