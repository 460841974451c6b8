"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.servers.plugin"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data; never part of the repository."""
    path = Path(os.environ.get("SIGHTLINE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "MANIFEST.jsonl").is_file():
        pytest.skip(f"real data is not at {path}; set SIGHTLINE_TEST_DATA to its folder")
    return path
