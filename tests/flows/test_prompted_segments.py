"""A detector finds, SAM 2 segments what it found or what samples point at, and depth joins in.

The networks are tiny and random, so nothing here measures quality; that every mask answers the
prompt it says it does, and that changed prompts alone compute again, is what counts.
"""

from pathlib import Path

import pytest

from flows.closing import PartsFailedError
from infra.lake.lake import Lake
from tests import tiny_networks
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, content, count

pytestmark = pytest.mark.server

ANNOTATE_ONLY = (*TINY, *(f"steps.{step}.enabled=false" for step in ("distill", "verify")))
WHICH_RECIPE = frozenset({"recipe_identity"})


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("networks")
    detector = tiny_networks.grounding_dino(folder / "detector")
    return detector, tiny_networks.sam2(folder / "segmenter")


def overrides(networks: tuple[Path, Path], prompts: str, *more: str) -> tuple[str, ...]:
    detector, segmenter = networks
    return (
        *ANNOTATE_ONLY,
        f"steps.detect.weights={detector}",
        "steps.detect.queries=[Red mug, blue box]",
        "steps.detect.input_px=64",
        "steps.detect.min_score=0.1",
        "steps.detect.max_boxes=4",
        f"steps.segment.weights={segmenter}",
        "steps.segment.input_px=64",
        f"steps.segment.prompts={prompts}",
        *more,
    )


@pytest.fixture(scope="module")
def detected(shared_site: Site, networks: tuple[Path, Path]) -> Lake:
    shared_site.build(*overrides(networks, "detections"))
    return shared_site.lake()


def test_build_detects_then_segments_the_boxes_then_grounds_them(detected: Lake):
    assert broken_checks(detected) == {}
    found = count(detected, "select count(*) from detections")
    masks = count(detected, "select count(*) from segments where prompt_kind = 'detection'")
    assert found > 0
    assert 0 < masks <= found
    assert masks == count(detected, "select count(*) from segments")
    assert masks == count(detected, "select count(*) from objects")
    named = ask(detected, "select distinct category from objects")
    labels = ask(detected, "select distinct label as category from detections")
    assert {row["category"] for row in named} <= {row["category"] for row in labels}
    assert count(detected, "select count(*) from objects where depth_median is not null") > 0


def test_build_of_detections_again_computes_nothing(
    shared_site: Site, detected: Lake, networks: tuple[Path, Path]
):
    before = content(detected)
    again = shared_site.build(*overrides(networks, "detections"))
    assert again.runs_computed == 0
    assert content(detected) == before


def test_build_of_samples_segments_every_box_they_point_at(site: Site, networks: tuple[Path, Path]):
    site.build(*overrides(networks, "samples", "steps.detect.enabled=false"))
    lake = site.lake()
    assert broken_checks(lake) == {}
    boxes = """
        select distinct image_ids[1] as image_id, unnest(boxes) as box from samples
    """
    asked = count(lake, f"select count(*) from ({boxes})")  # noqa: S608 - a constant
    masks = count(lake, "select count(*) from segments where prompt_kind = 'sample'")
    assert 0 < masks <= asked
    assert count(lake, "select count(*) from segments where category is not null") == 0
    missing = """
        select count(*) from segments
        left join samples on segments.prompt_id = samples.sample_id
        where samples.sample_id is null or segments.image_id <> samples.image_ids[1]
    """
    assert count(lake, missing) == 0


def test_build_with_weights_that_take_no_prompts_fails_before_an_image_is_read(
    site: Site, networks: tuple[Path, Path]
):
    with pytest.raises(PartsFailedError, match="needs a SAM 2 network"):
        site.build(*overrides(networks, "samples", "steps.segment.weights=embedded:segment"))
    assert count(site.lake(), "select count(*) from segments") == 0
