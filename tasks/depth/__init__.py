"""Depth maps: preprocessing, the network, and the worker that runs it."""
