"""Semantic duplicates: what embeddings say is alike, reported and never dropped."""
