"""Maintenance changes no row and makes no build do work again; checks say what is broken."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.catalog.catalog import Catalog
from infra.lake import files as lake_files
from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from sightline.schemas import CONTRACTS, IMAGES, LEDGER, SAMPLES
from tests.flows.artifacts import newest_table
from tests.flows.site import TINY, Site
from tests.flows.tables import content
from tests.infra.teachers import paid_row

pytestmark = pytest.mark.server

ROWS_PER_FILE = 2


@contextmanager
def settings_of(site: Site) -> Iterator[None]:
    """Make flows of this process use the site's lake and state."""
    environment = site.environment(str(site.folder / "lake"), pool="local")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def built(shared_site: Site) -> Site:
    """A built lake in which every file has two rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_files, "FILE_BYTES", 1)
        patch.setattr(lake_files, "GROUP_ROWS", ROWS_PER_FILE)
        patch.setattr(lake_files, "BLOB_GROUP_ROWS", ROWS_PER_FILE)
        shared_site.build(*TINY)
    return shared_site


@pytest.fixture
def copied(built: Site, site: Site) -> Site:
    """A copy of the lake with many small files, to change at will."""
    shutil.copytree(built.folder / "lake", site.folder / "lake")
    return site


def n_files(lake: Lake) -> int:
    return sum(len(lake.snapshot(contract).files) for contract in CONTRACTS.values())


def test_maintenance_joins_files_and_changes_no_row(copied: Site):
    from flows.operations import maintain_lake

    lake = copied.lake()
    before, files, parts = content(lake), n_files(lake), lake.parts(SAMPLES)
    with settings_of(copied):
        tables = {table.table: table for table in maintain_lake(retention_hours=0)}
    assert n_files(lake) < files / 3
    assert all(table.files_after == table.parts for table in tables.values())
    assert tables["samples"].deleted > 0
    assert content(lake) == before
    assert lake.parts(SAMPLES) == parts
    rows, _ = newest_table("maintenance")
    assert {row["table"]: row["files_after"] for row in rows} == {
        name: table.files_after for name, table in tables.items()
    }


def test_build_after_maintenance_computes_and_buys_nothing(copied: Site):
    from flows.operations import maintain_lake

    # the copy has another address than the lake that was built: build it once, nothing to do
    assert copied.build(*TINY).runs_computed == 0
    with settings_of(copied):
        maintain_lake(retention_hours=0)
    after = copied.build(*TINY)
    assert (after.runs_computed, after.calls_made) == (0, 0)
    assert after.runs_reused > 0


def test_maintenance_leaves_an_open_reader_what_it_reads(copied: Site):
    from flows.operations import maintain_lake

    lake = copied.lake()
    with Catalog(lake) as reader:
        n_samples = reader.query("select count(*) as n from samples").to_pylist()
        with settings_of(copied):
            maintain_lake()
        assert reader.query("select count(*) as n from samples").to_pylist() == n_samples
        text = "select sum(octet_length(bytes)) as n from images"
        expected = reader.query(text).to_pylist()
        reader.refresh()
        assert reader.query(text).to_pylist() == expected


def test_maintenance_of_an_orphaned_spool_commits_its_responses(site: Site):
    from flows.operations import maintain_lake

    lake = site.lake()
    ledger = Ledger(lake, site.folder / "state" / "spool")
    ledger.record(paid_row(1)).result()
    ledger.close()
    with settings_of(site):
        maintain_lake()
    assert lake.read(LEDGER, columns=["request_key"]).to_pylist() == [
        {"request_key": paid_row(1).request_key}
    ]
    assert newest_table("maintenance")[1].startswith("1 teacher responses recovered")


def test_maintenance_of_an_empty_lake_finds_nothing(site: Site):
    from flows.operations import maintain_lake

    with settings_of(site):
        assert maintain_lake() == []


def test_checks_of_a_built_lake_pass(built: Site):
    from flows.operations import check_lake

    with settings_of(built):
        check_lake()
    rows, _ = newest_table("checks")
    assert [row["check"] for row in rows if row["rows"] and row["severity"] == "fail"] == []


def test_checks_of_a_lake_without_its_images_fail_and_name_the_check(copied: Site):
    from flows.operations import ChecksFailedError, check_lake

    lake = copied.lake()
    for part in lake.parts(IMAGES):
        lake.drop(IMAGES, part.part)
    with settings_of(copied):
        state = check_lake(return_state=True)
    assert state.is_failed()
    with pytest.raises(ChecksFailedError, match="sample_images_stored"):
        state.result()
    rows, description = newest_table("check-sample-images-stored")
    assert rows
    assert "rows break" in description
