"""Adapters: one module per outside system, plus what is deployed around them."""
