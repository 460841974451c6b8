"""Every command, program and query of README.md and docs/ does what its page says.

How pages mark their blocks is described in `tests/docs/pages.py`.  Blocks run as they stand, in
order, one folder per page; only ports, keys and the bucket are replaced.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from flows.recipe import parse_recipe
from infra.prefect_api.server import prefect_api
from infra.services.serve_plan import read_serve_plan
from infra.settings import load_settings
from infra.teacher.endpoints import Endpoint, read_endpoints
from tests.docs.pages import Page, read_page
from tests.docs.reader import Reader
from tests.isolation import fresh_environment
from tests.servers.processes import free_ports
from tests.servers.s3 import S3Server

ROOT = Path(__file__).resolve().parents[2]

NOT_RUN: Mapping[str, str] = {
    "make setup": "installs the environment that this test runs in",
    "make demo": "tests/flows runs what it runs, sightline build demo; CI runs it as typed",
    "make test": "is this test suite",
    "make ui": "runs sightline ui; opens a page for a person until Ctrl-C",
    "make s3": "installs system packages; make test runs it first",
}
"""Lines that cannot run in a test by their nature, and why."""

PORTS = ("4200", "6379", "8321", "10001")
"""Ports that pages name."""

DATA = {"docs/how-to/published-figures.md": {"viscot": "viscot_full"}}
"""Folders of real data, by page and by the name the page gives them."""

SOURCES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [read_page(ROOT, path) for path in SOURCES]
WITH_BLOCKS = [page for page in PAGES if page.executed]


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One Prefect server for all pages; a build would start one of its own each time."""
    folder = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        settings = load_settings(
            state_dir=folder, prefect_profiles=folder / "none.toml", prefect_port=0
        )
    with prefect_api(settings) as session:
        yield session.url


@pytest.fixture
def reader(
    page: Page, tmp_path: Path, prefect_url: str, request: pytest.FixtureRequest
) -> Iterator[Reader]:
    lake = tmp_path / "clone" / "lake"
    environment = fresh_environment(tmp_path, "./lake") | {"PREFECT_API_URL": prefect_url}
    if "ray" not in page.wishes:
        environment["SIGHTLINE_POOL"] = "local"
    replacements = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    if "s3://" in "".join(block.text for block in page.executed):
        replacements |= _bucket(request.getfixturevalue("s3_server"), tmp_path.name)
    found = Reader.in_clone(tmp_path / "clone", ROOT, environment, replacements)
    if "lake demo" in page.wishes:
        shutil.copytree(request.getfixturevalue("demo_lake"), lake)
    for name, source in DATA.get(page.name, {}).items():
        (found.folder / name).symlink_to(request.getfixturevalue("real_data") / source)
    yield found
    found.close()


def _bucket(server: S3Server, prefix: str) -> dict[str, str]:
    """Return what the bucket of the pages is in this test."""
    storage = server.storage
    return {
        "http://127.0.0.1:9000": storage.endpoint_url or "",
        "my-access-key": storage.access_key or "",
        "my-secret-key": storage.secret_key or "",
        "s3://my-bucket": server.uri(prefix),
    }


@pytest.mark.server
@pytest.mark.spread
@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.name)
def test_page_followed_in_order_does_what_it_says(page: Page, reader: Reader) -> None:
    for block in page.executed:
        if block.text.strip() not in NOT_RUN:
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_recipes_and_endpoints_can_be_read(page: Page, tmp_path: Path) -> None:
    for block in page.blocks:
        if block.language != "yaml":
            continue
        shown = yaml.safe_load(block.text)
        if "endpoints" in shown:
            check_endpoints(tmp_path / "endpoints.yaml", block.text)
        else:
            whole = yaml.safe_load((ROOT / "recipes" / "demo.yaml").read_text())
            parse_recipe(whole | shown)


def check_endpoints(path: Path, text: str) -> None:
    path.write_text(text)
    for endpoint in read_endpoints(path, lambda _variable: "key", Endpoint("default", "")):
        if endpoint.serve is not None:
            read_serve_plan(endpoint.name, endpoint.serve)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_fences_are_of_known_kinds(page: Page) -> None:
    kinds = {block.language for block in page.blocks}

    assert kinds <= {"bash", "sql", "python", "text", "yaml"}, "use ```text for what is not run"
