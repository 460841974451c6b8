"""Ray casting against geometry worked out by hand."""

from math import inf, sqrt

import numpy as np
import pytest

from tasks.ingest.scenes.rays import camera_rays, cast, entry_distance, normals, window
from tasks.ingest.scenes.solids import (
    Backdrop,
    Camera,
    Colour,
    GroundPattern,
    Material,
    Scene,
    Shape,
    Size,
    Solid,
)
from tasks.ingest.scenes.world import SceneParams, sample_scene

BACKDROP = Backdrop((0.5, 0.5, 0.5), GroundPattern.PLAIN, 1.0, 0.1, (0.8, 0.8, 0.8), 0.3, 0.0, 0)
LEVEL = Camera(position=(0.0, -5.0, 0.7), target=(0.0, 0.0, 0.7), focal_share=1.0)


def solid(shape: Shape, x: float = 0.0, y: float = 0.0) -> Solid:
    return Solid(shape, Colour.RED, Material.RUBBER, Size.LARGE, x, y)


def middle_depth(shape: Shape) -> float:
    scene = Scene((solid(shape),), (), LEVEL, BACKDROP)
    hits = cast(scene, camera_rays(LEVEL, 65, 65))
    assert hits.instance[32, 32] == 1
    return float(hits.depth[32, 32])


@pytest.mark.parametrize(
    ("shape", "depth"),
    # The camera is 5 m away at the height of the centres: 5 minus the half width.
    [(Shape.SPHERE, 4.3), (Shape.BOX, 5 - 0.7 * 0.85), (Shape.CYLINDER, 5 - 0.7 * 0.8)],
)
def test_cast_solid_straight_ahead_has_depth_of_its_front(shape: Shape, depth: float):
    assert middle_depth(shape) == pytest.approx(depth, abs=1e-6)


def test_cast_sphere_covers_the_disc_of_its_tangent_cone():
    scene = Scene((solid(Shape.SPHERE),), (), LEVEL, BACKDROP)
    hits = cast(scene, camera_rays(LEVEL, 400, 400))
    radius_px = 400 * 0.7 / sqrt(5**2 - 0.7**2)
    assert hits.silhouette_px[0] == pytest.approx(np.pi * radius_px**2, rel=0.01)


def test_cast_ground_depth_is_height_over_slope():
    hits = cast(Scene((), (), LEVEL, BACKDROP), camera_rays(LEVEL, 65, 65))
    below = (np.arange(65) - 32) / 65
    assert hits.depth[40, 10] == pytest.approx(0.7 / below[40])
    assert (hits.depth[:33] == inf).all()


def test_cast_nearer_solid_hides_the_farther_one():
    front, back = solid(Shape.BOX, y=-1.0), solid(Shape.SPHERE, y=2.0)
    hits = cast(Scene((back, front), (), LEVEL, BACKDROP), camera_rays(LEVEL, 65, 65))
    assert hits.instance[32, 32] == 2
    assert hits.silhouette_px[0] > np.count_nonzero(hits.instance == 1)


@pytest.mark.parametrize("index", range(8))
def test_window_holds_every_pixel_of_the_solid(index: int):
    scene = sample_scene(11, index, SceneParams(n=1))
    rays = camera_rays(scene.camera, 256, 192)
    for item in scene.solids:
        origin = tuple(p - c for p, c in zip(rays.camera.position, item.centre, strict=True))
        everywhere = np.isfinite(entry_distance(item, origin, rays.direction))
        inside = np.zeros_like(everywhere)
        inside[window(item, rays)] = True
        assert not (everywhere & ~inside).any()


@pytest.mark.parametrize("shape", list(Shape))
def test_normals_are_unit_and_face_the_camera(shape: Shape):
    item = Solid(shape, Colour.RED, Material.RUBBER, Size.SMALL, 0.3, 0.2, (0.6, 0.8))
    camera = Camera((0.5, -4.0, 3.0), (0.3, 0.2, 0.3), 1.0)
    rays = camera_rays(camera, 100, 100)
    hits = cast(Scene((item,), (), camera, BACKDROP), rays)
    pixels = hits.instance == 1
    direction = [component[pixels] for component in rays.direction]
    point = [
        start + hits.depth[pixels] * d for start, d in zip(camera.position, direction, strict=True)
    ]
    normal = normals(item, (point[0], point[1], point[2]))
    assert sum(n * n for n in normal) == pytest.approx(np.ones(pixels.sum()), abs=1e-6)
    assert (sum(n * d for n, d in zip(normal, direction, strict=True)) < 1e-6).all()
