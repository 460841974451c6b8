"""Fixtures every test may use."""

import os
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from sightline.teardown import mute_teardown
from tests.isolation import fresh_environment

pytest_plugins = ["tests.servers.plugin"]

ROOT = Path(__file__).resolve().parents[1]

mute_teardown()


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


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process: they share what is dear to set up."""
    for item in items:
        if item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(ROOT))))


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of `recipes/demo.yaml`, built once through the command line on a local Ray.

    Its embedded teacher, Prefect server and spool lie beside it in `state`. Read it only: a test
    that changes a lake copies the folder first.  Processes of one test run share it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo"
    with FileLock(f"{folder}.lock"):
        if not (folder / "build.txt").exists():
            _build_demo(folder)
    return folder / "lake"


def _build_demo(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    lake = folder / "lake"
    done = subprocess.run(
        ["sightline", "build", "demo", "--lake", str(lake)],
        cwd=folder,
        env=fresh_environment(folder, lake) | {"SIGHTLINE_POOL": "ray"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    (folder / "build.txt").write_text(done.stdout)
