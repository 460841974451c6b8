"""Promptable segmenters: SAM 2 and 2.1, asked with boxes or a grid of points."""
