"""Training and measuring of the two embedded networks."""
