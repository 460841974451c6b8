"""Asking a teacher many things at once: bounded, in order, metered, and stopped by an outage."""
