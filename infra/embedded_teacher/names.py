"""Which model names are the embedded teacher's, so that what it wrote is labelled everywhere.

One server answers to its own name and to that name with a suffix: `sightline-embedded-b` words
things in its own way, which is how a recipe gets several teachers without a real one.
"""

from typing import Final

DEFAULT_MODEL: Final = "sightline-embedded"


def is_embedded(model: str) -> bool:
    """Return whether a model of this name writes templates, not reasoning."""
    return model == DEFAULT_MODEL or model.startswith(f"{DEFAULT_MODEL}-")
