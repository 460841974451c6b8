"""Depth audits: how far depth maps, and what is said from them, can be trusted."""
