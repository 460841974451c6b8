"""The work of the pipeline: one folder per family, pure functions over Arrow tables."""
