"""Chains of looking: what to ask a teacher next, what its replies mean, and how they replay."""
