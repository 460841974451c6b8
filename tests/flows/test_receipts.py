"""Real receipts, questions and boxes (SROIE with Visual-CoT's) from files to SQL, in a bucket.

Depth, segments and rationales come from the tiny embedded networks and the template teacher, so
nothing here measures quality; that every row arrives, and where, is what counts.
"""

from pathlib import Path

import pytest
import yaml

from infra.lake.lake import Lake
from sightline.reader import open_lake
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, count
from tests.servers.s3 import S3Server

ROWS = 24
RECEIPTS = 6
"""The first 24 rows ask about 6 receipts."""

pytestmark = [pytest.mark.server, pytest.mark.s3, pytest.mark.slow]


def recipe(data: Path) -> dict[str, object]:
    return {
        "name": "receipts",
        "flow": "visreason",
        "source": {
            "kind": "table",
            "path": str(data / "samples.jsonl"),
            "images": str(data),
            "columns": {
                "question": "question",
                "answer": "answer",
                "image": "image",
                "boxes": "boxes",
                "source_key": "id",
                "licence": "licence",
                "width": "width",
                "height": "height",
            },
            "box_convention": "px",
            "limit": ROWS,
        },
        "part_rows": 12,
        "steps": {
            "dedup": {},
            "depth": {"weights": "embedded:depth", "input_px": 126},
            "segment": {"weights": "embedded:segment", "input_px": 192},
            "ground": {},
            "distill": {"rounds": 3, "single_round_mix": 0.5},
            "verify": {},
        },
    }


@pytest.fixture(scope="module")
def lake(
    shared_site: Site,
    real_data: Path,
    s3_server: S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lake:
    file = tmp_path_factory.mktemp("recipe") / "receipts.yaml"
    file.write_text(yaml.safe_dump(recipe(real_data / "sroie_viscot")))
    storage = s3_server.storage
    settings = {
        "s3_endpoint_url": storage.endpoint_url,
        "s3_region": storage.region,
        "s3_access_key": storage.access_key,
        "s3_secret_key": storage.secret_key,
    }
    uri = s3_server.uri("receipts")
    summary = shared_site.build(recipe=str(file), lake=uri, **settings)
    assert summary.calls_made > 0
    again = shared_site.build(recipe=str(file), lake=uri, **settings)
    assert (again.runs_computed, again.calls_made) == (0, 0)
    return Lake(uri, storage)


def ids(lake: Lake, sql: str) -> set[str]:
    return {row["image_id"] for row in ask(lake, sql)}


def test_receipts_every_row_and_image_arrives(lake: Lake):
    assert broken_checks(lake) == {}
    assert count(lake, "select count(*) from samples") == ROWS
    assert count(lake, "select count(*) from failures where step = 'ingest'") == 0
    originals = "select count(*) from images where parent_image_id is null"
    assert count(lake, originals) == count(
        lake, "select count(distinct i) from (select unnest(image_ids) as i from samples)"
    )


def test_receipts_every_image_has_depth_and_segments_or_a_reason(lake: Lake):
    images = ids(lake, "select image_id from images where parent_image_id is null")
    assert len(images) >= RECEIPTS
    assert ids(lake, "select image_id from depth_maps") == images
    assert images <= ids(lake, "select image_id from segments union select item_id from failures")


def test_receipts_every_question_is_answered_and_judged_right(lake: Lake):
    (row,) = ask(
        lake,
        "select count(*) as n, count(*) filter (where complete) as complete, "
        "count(*) filter (where accepted) as accepted, max(rounds) as rounds from chains",
    )
    assert row["n"] == row["complete"] == ROWS
    assert row["accepted"] >= 0.9 * ROWS
    assert row["rounds"] > 1
    (share,) = ask(
        lake,
        "select avg(passed::int) as share, count(*) as n from verdicts where rule = 'answer_match'",
    )
    assert share == {"share": 1.0, "n": ROWS}


def test_receipts_are_read_by_sql_from_the_bucket(lake: Lake):
    connection = open_lake(lake.uri, storage=lake.storage.delta())
    rows = connection.sql(
        "select question, count(*) as n from accepted_traces group by question order by question"
    ).fetchall()
    assert sum(n for _, n in rows) >= 0.9 * ROWS
    assert any("invoice" in question for question, _ in rows)
    ((zooms,),) = connection.sql(
        "select count(*) from images where parent_image_id is not null and crop_box is not null"
    ).fetchall()
    assert zooms > 0
