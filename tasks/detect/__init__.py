"""Open-vocabulary detectors: boxes for whatever is named."""
