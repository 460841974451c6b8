"""Small pieces of Markdown for generated pages."""

from collections.abc import Iterable, Sequence
from typing import Final

NOTE: Final = "<!-- Written by scripts/generate_reference.py; edit the source instead. -->\n\n"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; bars inside cells are escaped."""
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)
