"""Write docs/reference from the code: tables, failure codes, settings, commands.

The pages are committed, and a test fails when they are not what this script writes.
"""

import argparse
import sys
from pathlib import Path

from flows.reference import reference_pages

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"


def main() -> int:
    """Write the pages, or with --check return 1 if one is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    arguments = parser.parse_args()
    stale = []
    for name, text in reference_pages().items():
        path = FOLDER / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not arguments.check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if arguments.check and stale:
        print(f"out of date: {stale}; run python scripts/generate_reference.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
