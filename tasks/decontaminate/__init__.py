"""Decontamination: what of a lake stands in a benchmark, by which rule, with evidence."""
