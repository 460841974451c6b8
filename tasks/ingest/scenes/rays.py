"""Exact ray casting of a scene: which solid each ray meets first, and where.

Ray directions are *not* normalised: their component along the optical axis is 1, so the ray
parameter is the depth along that axis. Only +, -, *, / and square roots touch the pixels (no BLAS,
no trigonometry, no order-dependent sums), so the result is the same on every IEEE machine. All
solids are convex: a ray meets each in one interval.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, sqrt
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tasks.ingest.scenes.solids import Camera, Scene, Shape, Solid, Vector, dot, minus

Floats: TypeAlias = npt.NDArray[np.floating]
Bools: TypeAlias = npt.NDArray[np.bool_]
Field: TypeAlias = tuple[Floats, Floats, Floats]
"""x, y and z components of one vector per ray."""

NEAREST_M: Final = 1e-3
"""Crossings nearer than this count as the ray's own surface."""

TINY: Final = 1e-9
"""Replaces a zero direction component, which would divide 0 by 0 on a slab's face."""


@dataclass(frozen=True, slots=True)
class Rays:
    """One ray per pixel from one point.

    Attributes:
        camera: where they start.
        direction: three (H, W) fields; one unit of ray parameter is one metre of depth.
        focal_px: focal length in pixels.
    """

    camera: Camera
    direction: Field
    focal_px: float

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.direction[0].shape
        return height, width


@dataclass(frozen=True, slots=True)
class Hits:
    """What each ray meets first.

    Attributes:
        depth: (H, W) metres along the optical axis, inf for the sky.
        instance: (H, W) int16, 0 for ground and sky, k for the k-th solid.
        silhouette_px: per solid, the pixels it would cover if it stood alone.
    """

    depth: Floats
    instance: npt.NDArray[np.int16]
    silhouette_px: tuple[int, ...]


def camera_rays(
    camera: Camera, width: int, height: int, dtype: type[np.floating] = np.float64
) -> Rays:
    """Rays through the pixel centres of a `width` x `height` image."""
    right, up, forward = camera.axes()
    focal_px = camera.focal_share * height
    across = ((np.arange(width, dtype=dtype) + dtype(0.5 - width / 2)) / dtype(focal_px))[None, :]
    upward = ((dtype(height / 2 - 0.5) - np.arange(height, dtype=dtype)) / dtype(focal_px))[:, None]
    x, y, z = (
        dtype(forward[axis]) + across * dtype(right[axis]) + upward * dtype(up[axis])
        for axis in range(3)
    )
    return Rays(camera, (x, y, z), focal_px)


def cast(scene: Scene, rays: Rays) -> Hits:
    """The first surface along every ray: solids, then the ground, then the sky."""
    depth = _ground_depth(rays)
    instance = np.zeros(rays.shape, dtype=np.int16)
    silhouettes: list[int] = []
    for number, solid in enumerate(scene.solids, start=1):
        rows, columns = window(solid, rays)
        direction = _crop(rays.direction, rows, columns)
        entry = entry_distance(solid, minus(rays.camera.position, solid.centre), direction)
        silhouettes.append(int(np.count_nonzero(entry < inf)))
        nearer = entry < depth[rows, columns]
        depth[rows, columns][nearer] = entry[nearer]
        instance[rows, columns][nearer] = number
    return Hits(depth, instance, tuple(silhouettes))


def window(solid: Solid, rays: Rays) -> tuple[slice, slice]:
    """Rows and columns of the image that can see `solid`, by its projected bounding ball."""
    left, top, right, bottom = ball_extent_px(solid, rays.camera, rays.focal_px)
    height, width = rays.shape
    rows = slice(max(0, floor(top + height / 2)), max(0, min(height, ceil(bottom + height / 2))))
    columns = slice(max(0, floor(left + width / 2)), max(0, min(width, ceil(right + width / 2))))
    return rows, columns


def ball_extent_px(
    solid: Solid, camera: Camera, focal_px: float
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the projected bounding ball, in pixels from the image centre.

    A ball that reaches the plane of the camera has no bounded projection: everything is returned.
    """
    offset = minus(solid.centre, camera.position)
    right, up, forward = camera.axes()
    along, radius = dot(offset, forward), solid.bounding_radius_m
    if along <= radius + NEAREST_M:
        return -1e6, -1e6, 1e6, 1e6
    left, right_end = _extent(dot(offset, right), along, radius)
    top, bottom = _extent(-dot(offset, up), along, radius)
    return left * focal_px, top * focal_px, right_end * focal_px, bottom * focal_px


def entry_distance(solid: Solid, origin: Vector | Field, direction: Vector | Field) -> Floats:
    """The ray parameter where each ray enters `solid`, inf where it misses.

    Args:
        solid: what may be met.
        origin: start of the rays relative to the solid's centre; one point or a field.
        direction: one direction or a field; at least one of the two is a field.
    """
    first, last = _INTERVALS[solid.shape](solid, origin, direction)
    return np.where((first < last) & (first > NEAREST_M), first, first.dtype.type(inf))


def normals(solid: Solid, point: Field) -> Field:
    """Outward unit normals at points on the surface of `solid`; points in world metres."""
    x, y, z = (
        component - component.dtype.type(c)
        for component, c in zip(point, solid.centre, strict=True)
    )
    if solid.shape is Shape.SPHERE:
        radius = x.dtype.type(solid.half_height_m)
        return x / radius, y / radius, z / radius
    on_cap = _nearer_to_cap(solid, (x, y, z))
    if solid.shape is Shape.CYLINDER:
        length = np.sqrt(x * x + y * y) + x.dtype.type(TINY)
        return _with_caps(on_cap, x / length, y / length)
    return _with_caps(on_cap, *_wall_normals(solid, x, y))


def _sphere_interval(
    solid: Solid, origin: Vector | Field, direction: Vector | Field
) -> tuple[Floats, Floats]:
    """Where rays are inside the ball."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    radius = solid.half_height_m
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    return _roots(a, b, ox * ox + oy * oy + oz * oz - radius * radius)


def _box_interval(
    solid: Solid, origin: Vector | Field, direction: Vector | Field
) -> tuple[Floats, Floats]:
    """Where rays are inside the three pairs of faces."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    (cosine, sine), half = solid.turn, solid.half_width_m
    first_x, last_x = _slab(cosine * ox + sine * oy, cosine * dx + sine * dy, half)
    first_y, last_y = _slab(cosine * oy - sine * ox, cosine * dy - sine * dx, half)
    first_z, last_z = _slab(oz, dz, solid.half_height_m)
    first = np.maximum(np.maximum(first_x, first_y), first_z)
    return first, np.minimum(np.minimum(last_x, last_y), last_z)


def _cylinder_interval(
    solid: Solid, origin: Vector | Field, direction: Vector | Field
) -> tuple[Floats, Floats]:
    """Where rays are inside the round wall and between the caps."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    radius = solid.half_width_m
    a = dx * dx + dy * dy + TINY
    first, last = _roots(a, ox * dx + oy * dy, ox * ox + oy * oy - radius * radius)
    first_z, last_z = _slab(oz, dz, solid.half_height_m)
    return np.maximum(first, first_z), np.minimum(last, last_z)


_INTERVALS: Final = {
    Shape.SPHERE: _sphere_interval,
    Shape.BOX: _box_interval,
    Shape.CYLINDER: _cylinder_interval,
}


def _roots(a: float | Floats, b: float | Floats, c: float | Floats) -> tuple[Floats, Floats]:
    """Both roots of a t^2 + 2 b t + c, or an empty interval."""
    discriminant = np.asarray(b * b - a * c)
    root = np.sqrt(np.maximum(discriminant, 0))
    first = np.where(discriminant > 0, (-b - root) / a, discriminant.dtype.type(inf))
    return first, (root - b) / a


def _slab(offset: float | Floats, slope: float | Floats, half: float) -> tuple[Floats, Floats]:
    """Where |offset + t slope| <= half."""
    slope = np.asarray(slope)
    safe = np.where(np.abs(slope) < TINY, slope.dtype.type(TINY), slope)
    one, other = (-half - offset) / safe, (half - offset) / safe
    return np.minimum(one, other), np.maximum(one, other)


def _extent(sideways: float, along: float, radius: float) -> tuple[float, float]:
    """Lowest and highest tangent of a ball's projection, in a plane through the camera."""
    reach = radius * sqrt(sideways * sideways + along * along - radius * radius)
    scale = along * along - radius * radius
    return (sideways * along - reach) / scale, (sideways * along + reach) / scale


def _ground_depth(rays: Rays) -> Floats:
    """Depth of the plane z = 0, inf at and above the horizon."""
    down = rays.direction[2]
    falling = down < -TINY
    safe = np.where(falling, down, down.dtype.type(-1))
    return np.where(falling, down.dtype.type(-rays.camera.position[2]) / safe, down.dtype.type(inf))


def _crop(field: Field, rows: slice, columns: slice) -> Field:
    x, y, z = (component[rows, columns] for component in field)
    return x, y, z


def _nearer_to_cap(solid: Solid, local: Field) -> Bools:
    """Whether a point on the top is meant, rather than one on the wall."""
    x, y, z = local
    to_cap = np.abs(z - z.dtype.type(solid.half_height_m))
    if solid.shape is Shape.CYLINDER:
        return to_cap < np.abs(np.sqrt(x * x + y * y) - x.dtype.type(solid.half_width_m))
    cosine, sine = solid.turn
    along_x, along_y = np.abs(cosine * x + sine * y), np.abs(cosine * y - sine * x)
    return to_cap < np.abs(np.maximum(along_x, along_y) - x.dtype.type(solid.half_width_m))


def _wall_normals(solid: Solid, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Horizontal normals of a turned box; points relative to its centre."""
    cosine, sine = solid.turn
    local_x, local_y = cosine * x + sine * y, cosine * y - sine * x
    on_x = np.abs(local_x) > np.abs(local_y)
    normal_x = np.where(on_x, np.sign(local_x), local_x.dtype.type(0))
    normal_y = np.where(on_x, local_y.dtype.type(0), np.sign(local_y))
    return cosine * normal_x - sine * normal_y, sine * normal_x + cosine * normal_y


def _with_caps(on_cap: Bools, x: Floats, y: Floats) -> Field:
    """Wall normals, replaced by straight up on the top."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    return np.where(on_cap, zero, x), np.where(on_cap, zero, y), np.where(on_cap, one, zero)
