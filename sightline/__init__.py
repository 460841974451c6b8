"""The contract of Sightline: tables, ids, boxes, errors, and a reader for training code."""
