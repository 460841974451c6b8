"""Universal segmenters: a mask and a label for every query."""
