"""Segments: preprocessing, the network, masks, and the worker that makes them."""
