"""The Prefect API a run talks to: the configured one, or a local server for the run."""
