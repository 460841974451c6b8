"""Ledger rows out of a lake and into it: exports, and responses that were paid elsewhere."""
