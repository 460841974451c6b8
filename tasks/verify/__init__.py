"""Rules that judge chains and replies; nothing is deleted, a verdict is a row."""
