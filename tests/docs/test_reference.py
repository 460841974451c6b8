"""The reference pages are what the code says today."""

from pathlib import Path

import pytest

from flows.reference import reference_pages

PAGES = reference_pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_reference_page_is_current(repo_root: Path, name: str) -> None:
    committed = (repo_root / "docs" / "reference" / name).read_text(encoding="utf-8")

    assert committed == PAGES[name], "run: python scripts/generate_reference.py"
