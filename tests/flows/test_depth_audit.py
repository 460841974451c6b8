"""Depth audits end to end: rendered scenes with true depth, a lake of their maps, real folders."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from infra.lake.lake import Lake
from sightline.errors import SourceError, UsageError
from sightline.schemas import DEPTH_MAPS, DEPTH_SCORES, FAILURES, IMAGES, SEGMENTS
from tasks.ingest.scenes.render import Rendered, render, scene_png
from tasks.ingest.scenes.world import SceneParams, sample_scene
from tests.factories import commit, payload_of
from tests.flows.artifacts import newest_artifact, newest_table
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, table_rows
from tests.tasks.depth_audit.truth_files import linear, write_truth
from tests.tasks.ground.scenes import depth_map, segment_row

pytestmark = pytest.mark.server

SCENES = 6


def run(site: Site, noise: dict[str, Any] | None = None, **wanted: Any) -> Any:
    from flows.depth_audit import depth_audit
    from flows.depth_wanted import Wanted
    from tasks.depth_audit.params import NoiseParams

    uri = str(site.folder / "lake")
    with site.surroundings(uri, {"pool": "local"}):
        return depth_audit(
            lake=uri,
            wanted=Wanted(**wanted) if wanted else None,
            noise=NoiseParams(**(noise or {})),
        )


@pytest.fixture(scope="module")
def scenes() -> list[Rendered]:
    """Scenes that no embedded network was trained on."""
    return [render(sample_scene(555_001, n, SceneParams(n=SCENES))) for n in range(SCENES)]


@pytest.fixture
def truth(site: Site, scenes: list[Rendered]) -> Path:
    """A folder of true depth of these scenes, and two rows that cannot be used."""
    rows, files = [], {}
    for number, scene in enumerate(scenes):
        name = f"scene_{number}"
        metres = np.where(np.isfinite(scene.depth) & (scene.depth < 60), scene.depth, 0)
        files |= {f"{name}.png": scene_png(scene), f"{name}_d.png": linear(metres, 1000)}
        rows.append(
            {"id": name, "image": f"{name}.png", "depth": f"{name}_d.png",
             "kind": "metric depth (rendered)", "scale": 1000.0, "invalid": 0}
        )  # fmt: skip
    rows.append({**rows[0], "id": "odd", "kind": "elevation above sea"})
    rows.append({**rows[0], "id": "gone", "image": "gone.png"})
    return write_truth(site.folder / "rendered", rows, files)


@pytest.fixture
def lake(site: Site, scenes: list[Rendered]) -> Lake:
    """Maps and segments of these scenes, right but for blur, in two parts."""
    lake = site.lake()
    for part, numbers in (("p1", range(3)), ("p2", range(3, SCENES))):
        maps, masks = [], []
        for number in numbers:
            scene = scenes[number]
            inverse = np.where(np.isfinite(scene.depth), 1 / scene.depth, 0)
            maps.append(depth_map(inverse, image_id=f"i{number}"))
            masks += [
                segment_row(scene.instance == k, k, f"i{number}", "solid")
                for k in np.unique(scene.instance[scene.instance > 0]).tolist()
            ]
        names = [f"i{number}" for number in numbers]
        commit(lake, IMAGES, payload_of(IMAGES, 3, image_id=lambda i, n=names: n[i]), part=part)
        commit(lake, DEPTH_MAPS, pa.concat_tables(maps), part=part)
        commit(lake, SEGMENTS, SEGMENTS.rows(masks), part=part)
    return lake


def test_noise_on_a_lake_turns_more_relations_of_smaller_margin(site: Site, lake: Lake):
    first = run(site)
    assert (first.audited, first.reused) == (2, 0)
    rows = ask(
        lake,
        """select noise_sd, margin_over, flipped, n_pairs from depth_flips
        where pairs = 'decided' order by noise_sd, margin_over""",
    )
    largest = [row for row in rows if row["noise_sd"] == 0.2]
    assert largest[0]["flipped"] > 0.2 > largest[-1]["flipped"]
    assert sum(row["n_pairs"] for row in largest) > 100
    trust = ask(lake, "select kept, expected_error from depth_trust where noise_sd = 0.05 "
                      "order by margin_over")  # fmt: skip
    assert [row["kept"] for row in trust] == sorted((row["kept"] for row in trust), reverse=True)
    assert trust[-1]["expected_error"] <= trust[0]["expected_error"] < 0.1
    assert broken_checks(lake).keys() <= {"image_bytes", "facts_have_image", "runs_cover_parts"}

    before = table_rows(lake, "depth_scores")
    again = run(site)
    assert (again.audited, again.reused) == (0, 2)
    assert again.lines == first.lines
    other = run(site, {"levels": (0.1,), "pictures": 2})
    assert (other.audited, other.reused) == (2, 0)
    assert {row["noise_sd"] for row in ask(lake, "select distinct noise_sd from depth_flips")} == {
        0.1
    }
    run(site)
    assert table_rows(lake, "depth_scores") == before


def test_parts_that_went_take_their_scores_with_them(site: Site, lake: Lake):
    run(site, {"levels": (0.1,), "draws": 1})
    lake.drop(DEPTH_MAPS, "p2")
    run(site, {"levels": (0.1,), "draws": 1})
    assert [part.part for part in lake.parts(DEPTH_SCORES)] == ["noise.p1"]


def test_embedded_weights_know_the_depth_of_rendered_scenes(site: Site, truth: Path):
    done = run(site, truth=(str(truth),))
    lake = site.lake()
    assert (done.audited, done.unused) == (1, 2)
    assert {(r["item_id"], r["code"]) for r in lake.read(FAILURES).to_pylist()} == {
        ("odd", "row_malformed"),
        ("gone", "image_missing"),
    }
    means = {
        (row["measure"], row["pairs"]): row["mean"]
        for row in ask(lake, "select measure, pairs, mean from depth_quality where bin_low is null")
    }
    assert means["spearman", None] > 0.95
    assert means["delta1", None] > 0.8
    assert means["point_order", None] > 0.93
    assert means["object_order", "decided"] >= means["object_order", "all"] > 0.9
    assert means["object_error", None] < 0.15
    rows, _ = newest_table("depth-quality")
    assert {row["measure"] for row in rows} >= {"abs_rel", "delta1"}
    assert "embedded" in str(newest_artifact("depth-audit-summary").data)
    assert run(site, truth=(str(truth),)).reused == 1


def test_noise_and_truth_together_say_what_to_expect(site: Site, lake: Lake, truth: Path):
    maps = lake.read(DEPTH_MAPS)["weights_sha"].to_pylist()
    assert set(maps) == {"0"}
    done = run(site, truth=(str(truth),))
    page = lake.objects.get("reports/depth-audit.html").decode()
    assert "What measured errors mean" not in page, "the lake's maps are of other weights"
    figures = json.loads(lake.objects.get("reports/depth-audit.json"))
    assert {row["benchmark"] for row in figures["pictures"]} == {"rendered"}
    assert figures["failures"]
    assert done.report.endswith("reports/depth-audit.html")


def test_command_prints_tables_and_writes_the_page(site: Site, real_data: Path):
    for path in sorted((real_data / "blink_depth").iterdir())[:4]:
        shutil.copytree(path, site.folder / "few" / path.name)
    done = site.command(
        "depth-audit", "--human", "few", "--truth", str(real_data / "depth_gt"),
        "--segment-weights", "none", "--out", "audit", pool="local",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "abs_rel" in done.stdout
    assert "agrees with people on" in done.stdout
    assert "say nothing of real weights" in done.stdout
    page = (site.folder / "audit" / "index.html").read_text()
    assert "<polyline" in page
    assert "<script" not in page
    assert "nyu_00000" in page
    figures = json.loads((site.folder / "audit" / "figures.json").read_text())
    assert [row["n"] for row in figures["human"] if row["margin_over"] is None] == [4]


def test_nothing_to_audit_is_an_error(site: Site):
    with pytest.raises(UsageError, match="--truth or --human"):
        run(site)
    with pytest.raises(SourceError, match=r"depth\.jsonl"):
        run(site, truth=(str(site.folder),))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--truth", "nowhere"], "depth.jsonl"),
        (["--human", "nowhere"], "labels.jsonl"),
    ],
)
def test_wrong_folder_exits_2_before_anything_starts(site: Site, arguments: list[str], named: str):
    done = site.command("depth-audit", *arguments)
    assert done.returncode == 2
    assert named in done.stderr.splitlines()[-1]
