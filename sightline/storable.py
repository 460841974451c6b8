"""Text as a UTF-8 column can hold it.

A reply cut inside an emoji ends in half a surrogate pair, and JSON may escape one on its own; both
are text to Python and to no table.
"""


def storable(text: str) -> str:
    """Return `text` with lone surrogates as U+FFFD; halves that belong together become one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
