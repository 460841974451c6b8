import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.images.decode import decode
from tasks.ingest.kinds import open_source
from tasks.ingest.plan import Known
from tasks.ingest.scene_source import is_chosen
from tests.tasks.ingest.ingested import Ingested, ingest

SMALL = {"n": 12, "width": 96, "height": 64, "min_visible_px": 12, "questions_per_scene": 2}


@pytest.fixture(scope="module")
def demo() -> Ingested:
    return ingest("scenes", SMALL | {"copies": 0.25, "broken": 0.34})


def test_scenes_listing_does_not_render(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tasks.ingest.scene_source.render", None)
    assert len(list(open_source("scenes", "data", SMALL | {"n": 10_000}).rows())) == 10_000


def test_scenes_stated_shares_are_copied_and_broken(demo: Ingested):
    names = demo.names
    assert sum(str(name).endswith("-copy") for name in names) == 3
    assert demo.codes == {
        "image_truncated": 1,
        "box_outside": 1,
        "image_size_mismatch": 1,
        "box_degenerate": 1,
    }


def test_scenes_copy_has_the_same_pixels_in_other_bytes(demo: Ingested):
    rows = {row["source_key"]: row for row in demo.images.to_pylist()}
    for name, copy in rows.items():
        if str(name).endswith("-copy") and (original := rows.get(name.removesuffix("-copy"))):
            assert copy["pixel_sha"] == original["pixel_sha"]
            assert copy["image_id"] != original["image_id"]
            assert decode(copy["bytes"]).rgb.shape == (64, 96, 3)


def test_scenes_every_question_has_an_answer_and_boxes_inside(demo: Ingested):
    for row in demo.samples.to_pylist():
        assert row["question"].endswith("?")
        assert row["answer"]
        assert row["n_boxes_clipped"] == 0
        assert row["domain"] in {
            "attribute",
            "count",
            "comparison",
            "relation_2d",
            "relation_depth",
        }


def test_scenes_again_are_byte_identical(demo: Ingested):
    again = ingest("scenes", SMALL | {"copies": 0.25, "broken": 0.34}, threads=1)
    assert again.images.equals(demo.images)
    assert again.samples.equals(demo.samples)
    assert again.failures.equals(demo.failures)


def test_scenes_more_of_them_add_rows_and_change_none(demo: Ingested):
    more = ingest("scenes", SMALL | {"n": 14, "copies": 0.25, "broken": 0.34}, known=demo.known())
    assert more.names == [
        "scene-000012",
        "scene-000013",
    ]


def test_scenes_more_questions_store_no_image_again(demo: Ingested):
    more = ingest(
        "scenes",
        SMALL | {"questions_per_scene": 3, "copies": 0.25, "broken": 0.34},
        known=Known(image_ids=demo.known().image_ids, sample_ids=demo.known().sample_ids),
    )
    assert not set(more.images["image_id"].to_pylist()) & demo.known().image_ids
    assert not set(more.samples["sample_id"].to_pylist()) & demo.known().sample_ids
    assert more.samples.num_rows > 0


def test_scenes_without_questions_are_image_only():
    found = ingest("scenes", SMALL | {"n": 2, "questions_per_scene": 0})
    assert found.samples["question"].to_pylist() == [None, None]
    assert found.codes == {}


@given(st.integers(0, 300), st.floats(0, 1), st.sampled_from([0.0, 0.5]))
def test_is_chosen_share_of_the_first_n_is_met_to_one(n: int, share: float, phase: float):
    assert abs(sum(is_chosen(i, share, phase) for i in range(n)) - n * share) <= 1
