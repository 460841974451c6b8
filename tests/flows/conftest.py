"""One real Prefect server for all flow tests of a session: the ephemeral one loses task runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.prefect_api.server import ApiSession, prefect_api
from infra.settings import load_settings
from tests.flows.site import TINY, Site


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSession]:
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW,
        temporary_settings,
    )

    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        settings = load_settings(
            state_dir=folder, prefect_profiles=folder / "profiles.toml", prefect_port=0
        )
    changed = {
        PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW: "ignore",
    }
    with (
        prefect_api(settings) as session,
        temporary_settings(changed | {PREFECT_API_URL: session.url}),
    ):
        yield session
        APILogHandler().flush()  # the server ends before the log thread does


@pytest.fixture
def site(prefect_server: ApiSession, tmp_path: Path) -> Site:
    """A place to build in, with its own state, for one test."""
    return Site(tmp_path, prefect_server.url)


@pytest.fixture(scope="module")
def shared_site(prefect_server: ApiSession, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A place whose lakes the tests of a file share; read them only, or copy the folder first."""
    return Site(tmp_path_factory.mktemp("site"), prefect_server.url)


@pytest.fixture(scope="session")
def tiny(prefect_server: ApiSession, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The tiny demo, built undisturbed: one part and one call at a time. Read it only."""
    site = Site(tmp_path_factory.mktemp("tiny"), prefect_server.url)
    site.build(*TINY, max_parts_in_flight=1, teacher_concurrency=1)
    return site
