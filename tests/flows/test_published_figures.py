"""The published figures of Visual-CoT's own rows, through the flow and the shipped queries.

Rows come without images and no teacher is asked.  Single-round share of CUB: 54.63 %, table 2 of
arXiv:2511.17731; average box size: 249.0 px (CUB) and 480.4 px (SROIE), arXiv:2403.16999.
"""

from pathlib import Path

import pytest

from infra.catalog.catalog import Catalog
from tests.flows.site import Site
from tests.flows.tables import broken_checks, count

pytestmark = pytest.mark.server

CUB_ROWS = 10_056
CUB_CLIPPED = 28
"""Rows whose box reaches out of the image."""


@pytest.fixture(scope="module")
def built(shared_site: Site, real_data: Path) -> Site:
    for dataset in ("cub", "sroie"):
        path = real_data / "viscot_full" / f"{dataset}_cot_train.jsonl"
        summary = shared_site.build(
            f"source.path={path}",
            "steps.distill.enabled=false",
            f"dataset={dataset}",
            recipe="visreason",
        )
        assert summary.calls_made == 0
        assert summary.checks_failed == ()
    return shared_site


def figures(site: Site, query: str, column: str) -> dict[str, float]:
    with Catalog(site.lake()) as catalog:
        rows = catalog.run_query(query).to_pylist()
    return {row["dataset"]: float(row[column]) for row in rows}


def test_single_round_share_is_the_published_one(built: Site):
    shares = figures(built, "zoom_gate_share", "single_round_percent")
    assert shares["cub"] == 54.63


def test_average_box_size_is_the_published_one(built: Site):
    sizes = figures(built, "average_box_size", "average_box_size_px")
    assert sizes == {"cub": 249.0, "sroie": 480.4}


def test_every_row_is_kept_and_boxes_outside_are_clipped(built: Site):
    lake = built.lake()
    cub = "from samples where dataset = 'cub'"
    assert count(lake, f"select count(*) {cub}") == CUB_ROWS
    assert count(lake, f"select count(*) {cub} and n_boxes_clipped > 0") == CUB_CLIPPED
    assert broken_checks(lake) == {}
