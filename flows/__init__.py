"""Prefect flows and the command line: composition only, no domain rule."""
