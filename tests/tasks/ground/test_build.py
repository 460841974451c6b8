import cv2
import numpy as np
import pyarrow as pa
import pytest

from infra.images.depth_codec import Direction
from sightline.errors import ContractError, Failure
from sightline.schemas import OBJECTS
from tasks.ground.build import objects_of
from tests.tasks.ground.scenes import HEIGHT, WIDTH, depth_map, mask_of, painted, segments

NEAR, FAR = (10, 30, 50, 70), (70, 20, 110, 60)
MASKS = [mask_of(NEAR), mask_of(FAR)]


def built(table: pa.Table, maps: pa.Table) -> list[dict]:
    return objects_of(table, maps).table.to_pylist()


def test_objects_of_two_rectangles_have_their_medians():
    rows = built(segments(MASKS), depth_map(painted([NEAR, FAR], [9.0, 4.0])))
    assert [r["object_id"] for r in rows] == [1, 2]
    assert [r["depth_status"] for r in rows] == ["ok", "ok"]
    assert rows[0]["depth_median"] == pytest.approx(1.0, abs=1e-3)
    assert rows[1]["depth_median"] == pytest.approx((4 - 1) / (9 - 1), abs=0.02)
    assert rows[1]["depth_iqr"] == pytest.approx(0, abs=1e-3)
    assert rows[0]["box"] == [10 / WIDTH, 30 / HEIGHT, 50 / WIDTH, 70 / HEIGHT]


def test_objects_of_a_rim_that_mixes_with_the_background_does_not_move_the_quantiles():
    clean = painted([NEAR, FAR], [9.0, 4.0])
    blurred = clean.copy()
    for x0, y0, x1, y1 in (NEAR, FAR):
        rim = mask_of((x0, y0, x1, y1)) & ~mask_of((x0 + 2, y0 + 2, x1 - 2, y1 - 2))
        blurred[rim] = 1.5
    want = built(segments(MASKS), depth_map(clean))
    have = built(segments(MASKS), depth_map(blurred))
    assert [r["depth_p10"] for r in have] == pytest.approx([r["depth_p10"] for r in want], abs=0.01)


def test_objects_of_metric_depth_counts_near_as_one():
    metres = painted([NEAR, FAR], [0.5, 3.5], ground=1.0)
    rows = built(segments(MASKS), depth_map(metres, direction=Direction.LARGER_FARTHER))
    assert rows[0]["depth_median"] > 0.95
    assert rows[1]["depth_median"] < 0.05


def test_objects_of_a_coarser_depth_map_are_read_on_the_grid_of_the_mask():
    values = painted([NEAR, FAR], [9.0, 4.0])
    coarse = cv2.resize(values.astype(np.float32), (84, 63), interpolation=cv2.INTER_AREA)
    fine = built(segments(MASKS), depth_map(values))
    rows = built(segments(MASKS), depth_map(coarse))
    assert [r["depth_median"] for r in rows] == pytest.approx(
        [r["depth_median"] for r in fine], abs=0.02
    )
    assert [r["area_px"] for r in rows] == [1600, 1600]


def test_objects_of_a_flat_map_have_no_numbers():
    rows = built(segments(MASKS), depth_map(np.full((HEIGHT, WIDTH), 3.0)))
    assert {r["depth_status"] for r in rows} == {"flat"}
    assert {r["depth_median"] for r in rows} == {None}


def test_objects_of_a_small_mask_are_read_whole_and_flagged():
    speck, small = mask_of((5, 5, 8, 8)), mask_of((30, 5, 37, 12))
    values = painted([(5, 5, 8, 8), (30, 5, 37, 12)], [6.0, 6.0])
    rows = built(segments([small, speck]), depth_map(values))
    assert [r["depth_status"] for r in rows] == ["too_small", "too_small"]
    assert rows[0]["depth_median"] == pytest.approx(1.0, abs=0.01)
    assert [r["area_px"] for r in rows] == [49, 9]


@pytest.mark.parametrize(
    ("category", "status"),
    [
        ("mirror", "reflective"),
        ("glass", "reflective"),
        ("window", "reflective"),
        ("sky", "sky"),
        ("glasses case", "ok"),
        ("skyscraper", "ok"),
    ],
)
def test_objects_of_glass_mirrors_and_sky_are_flagged(category: str, status: str):
    table = segments(MASKS[:1], category=category)
    assert built(table, depth_map(painted([NEAR], [9.0])))[0]["depth_status"] == status


def test_objects_of_a_region_in_the_saturated_top_is_sky():
    values = painted([NEAR], [9.0])
    values[:20] = 0.0
    cloud = mask_of((60, 2, 100, 18))
    rows = built(segments([MASKS[0], cloud], category="thing"), depth_map(values))
    assert [r["depth_status"] for r in rows] == ["ok", "sky"]


def test_objects_of_pictures_with_one_half_missing_are_kept_and_reported():
    tables = pa.concat_tables([segments(MASKS, "both"), segments(MASKS, "no-depth")])
    values = painted([NEAR, FAR], [9.0, 4.0])
    maps = pa.concat_tables([depth_map(values, "no-masks"), depth_map(values, "both")])
    out = objects_of(tables, maps)
    assert [(f.item_id, f.code) for f in out.failures] == [
        ("no-depth", Failure.DEPTH_MISSING),
        ("no-masks", Failure.SEGMENT_MISSING),
    ]
    status = {r["image_id"]: r["depth_status"] for r in out.table.to_pylist()}
    assert status == {"both": "ok", "no-depth": "missing"}


def test_objects_of_rows_in_any_order_are_the_same_table():
    values = painted([NEAR, FAR], [9.0, 4.0])
    tables = pa.concat_tables([segments(MASKS, "x"), segments(MASKS, "y")])
    maps = pa.concat_tables([depth_map(values, "y"), depth_map(values, "x")])
    backwards = tables.take(list(range(tables.num_rows))[::-1])
    assert objects_of(tables, maps).table.equals(objects_of(backwards, maps).table)


def test_objects_of_nothing_is_an_empty_table():
    empty = segments([])
    assert objects_of(empty, depth_map(painted([], [])).slice(0, 0)).table.equals(OBJECTS.empty())


def test_objects_of_two_maps_of_one_picture_is_an_error():
    one = depth_map(painted([NEAR], [9.0]))
    with pytest.raises(ContractError, match="one depth map"):
        objects_of(segments(MASKS), pa.concat_tables([one, one]))
