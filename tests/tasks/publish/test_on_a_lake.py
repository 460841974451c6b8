"""Report and exports through the fenced catalog of a real lake, not only through plain DuckDB."""

from pathlib import Path

import pytest

from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.schemas import CONTRACTS
from tasks.publish.export import export, images_by
from tasks.publish.report import render_report
from tasks.publish.report_data import report_data
from tests.factories import commit
from tests.sql.lake_tables import table_of
from tests.tasks.publish.demo_lake import small_demo


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("lake")), StorageOptions())
    for name, rows in small_demo().rows.items():
        contract = CONTRACTS[name]
        full = table_of(name, [row for row in rows if set(row) <= set(contract.schema.names)])
        commit(lake, contract, full.select(contract.payload.names))
    return lake


def test_report_of_a_committed_lake_shows_its_samples_and_checks(lake: Lake):
    with Catalog(lake) as catalog:
        data = report_data(catalog.query, checks=catalog.checks())
    assert len(data.samples) == 6
    assert {check.name: check.state for check in data.checks}["box_ranges"] == "passed"
    assert "How many discs are there?" in render_report(data)


def test_export_of_a_committed_lake_reads_images_from_the_lake(lake: Lake, tmp_path: Path):
    with Catalog(lake) as catalog:
        manifest = export("visreason", catalog.query, images_by(catalog.query), tmp_path / "out")
    assert (manifest.rows, manifest.n_images) == (3, 5)
