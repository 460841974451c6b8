"""Fixtures for tests that need a lake: the same tests run on a folder and on an S3 server.

`lake` and `lake_uri` are parametrised over both; `s3_server` starts once per session, on first
use, and the test summary says which server it was.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from tests.servers import s3

SERVER_USED = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def s3_server(pytestconfig: pytest.Config) -> Iterator[s3.S3Server]:
    server = s3.start()
    pytestconfig.stash[SERVER_USED] = server.name
    yield server
    server.processes.close()


@pytest.fixture
def s3_lake(s3_server: s3.S3Server) -> Lake:
    """An empty lake in a bucket."""
    return Lake(s3_server.uri(f"lake-{uuid.uuid4().hex}"), s3_server.storage)


@pytest.fixture
def strict_s3_lake(s3_server: s3.S3Server, s3_lake: Lake) -> Lake:
    """An empty lake in a bucket whose server refuses wrong keys."""
    if not s3_server.checks_signatures:
        pytest.skip(f"{s3_server.name} takes any keys")
    return s3_lake


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    """An empty lake in a folder whose name needs quoting."""
    return Lake(tmp_path / "my lake's", StorageOptions())


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def lake(request: pytest.FixtureRequest) -> Lake:
    """An empty lake, once in a folder and once in a bucket."""
    found: Lake = request.getfixturevalue(f"{request.param}_lake")
    return found


@pytest.fixture
def lake_uri(lake: Lake) -> str:
    return lake.uri


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["s3_server"] = session.config.stash.get(SERVER_USED, "")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over from a process of pytest-xdist what its session used."""
    name = getattr(node, "workeroutput", {}).get("s3_server")
    if name:
        node.config.stash[SERVER_USED] = name


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    name = config.stash.get(SERVER_USED, None)
    if name:
        terminalreporter.write_line(f"S3 server: {name}")
