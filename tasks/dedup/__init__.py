"""Deduplication: exact keys first, every decision with its evidence."""
