"""Points that are drawn into pictures, and what a map says of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.images.decode import decode
from tasks.depth_audit.folders import read_label_folder
from tasks.depth_audit.human_scores import human_score
from tasks.depth_audit.markers import GLYPHS, Point, find_points
from tasks.depth_audit.params import MARGIN_EDGES
from tasks.depth_audit.truth_rows import TruthRowError
from tests.tasks.depth_audit.maps import relative

KNOWN = {
    "val_Relative_Depth_100": {"A": Point(1, 339), "B": Point(499, 339)},
    "val_Relative_Depth_107": {"A": Point(177, 73), "B": Point(324, 73)},
    "val_Relative_Depth_112": {"A": Point(394, 181), "B": Point(80, 11)},
    "val_Relative_Depth_124": {"A": Point(30, 497), "B": Point(182, 422)},
    "val_Relative_Depth_33": {"A": Point(79, 165), "B": Point(89, 195)},
    "val_Relative_Depth_9": {"A": Point(338, 248), "B": Point(204, 316)},
}
"""Read by eye: cut by an edge, label below its ring, labels that touch, red around a ring."""


def drawn(rgb: np.ndarray, name: str, at: Point, *, is_below: bool = False) -> None:
    cv2.circle(rgb, (at.x, at.y), 5, (255, 0, 0), 2, cv2.LINE_AA)
    top = at.y + 17 if is_below else at.y - 31
    glyph = [[255 * (c == "#") for c in line] for line in GLYPHS[name].split()]
    label = np.pad(np.asarray(glyph, dtype=np.uint8), ((2, 2), (3, 2)))
    left = at.x - label.shape[1] // 2
    rgb[top : top + label.shape[0], left : left + label.shape[1]] = label[..., None]


def picture(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("seed", range(4))
def test_points_are_found_where_they_were_drawn(seed: int):
    rgb = picture(seed)
    drawn(rgb, "A", Point(60, 80))
    drawn(rgb, "B", Point(200, 12), is_below=True)
    assert find_points(rgb) == {"A": Point(60, 80), "B": Point(200, 12)}


def test_picture_without_points_or_with_one_is_an_error():
    rgb = picture()
    with pytest.raises(TruthRowError, match="two red rings"):
        find_points(rgb)
    drawn(rgb, "A", Point(60, 80))
    drawn(rgb, "A", Point(160, 80))
    with pytest.raises(TruthRowError, match="labelled A and B"):
        find_points(rgb)


def test_points_of_all_real_pictures_are_found(real_data: Path):
    folder = read_label_folder(real_data / "blink_depth")
    assert folder.failures == ()
    found = {row.item_id: find_points(decode(folder.read(row.image)).rgb) for row in folder.rows}
    assert len(found) >= 50
    assert {name: found[name] for name in KNOWN if name in found} == {
        name: points for name, points in KNOWN.items() if name in found
    }
    for points in found.values():
        assert abs(points["A"].x - points["B"].x) + abs(points["A"].y - points["B"].y) > 15


NEARER_BELOW = relative(np.tile(np.linspace(0, 1, 60)[:, None], (1, 80)).astype(np.float32))
POINTS = {"A": Point(10, 10), "B": Point(70, 50)}


def test_map_agrees_where_the_nearer_point_is_nearer():
    right = human_score(NEARER_BELOW, (80, 60), POINTS, "B")
    assert (right.value, right.n) == (1.0, 1)
    assert (right.bin_low, right.bin_high) == (0.5, 1.0)
    assert human_score(NEARER_BELOW, (80, 60), POINTS, "A").value == 0


def test_tie_counts_half_in_the_first_bin():
    level = {"A": Point(10, 30), "B": Point(70, 30)}
    score = human_score(NEARER_BELOW, (80, 60), level, "A")
    assert (score.value, score.bin_low, score.bin_high) == (0.5, *MARGIN_EDGES[:2])


def test_points_are_places_of_the_picture_and_not_of_the_map():
    twice = {"A": Point(20, 20), "B": Point(140, 100)}
    assert human_score(NEARER_BELOW, (160, 120), twice, "B").value == 1
    with pytest.raises(TruthRowError, match="outside the 80 x 60 px"):
        human_score(NEARER_BELOW, (80, 60), twice, "B")
