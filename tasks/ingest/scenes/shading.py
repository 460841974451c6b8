"""Colours of what the rays meet: ground, sky and lit solids.

Diffuse light is Lambert, highlights are Blinn-Phong with powers of two (repeated squaring, so no
library power), shadows are exact: solids are convex, so a solid's shadow on itself is where the
light is behind the surface.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from tasks.ingest.scenes.rays import (
    Bools,
    Field,
    Floats,
    Rays,
    camera_rays,
    cast,
    entry_distance,
    normals,
)
from tasks.ingest.scenes.solids import (
    Backdrop,
    Colour,
    GroundPattern,
    Light,
    Material,
    Scene,
    Vector,
)

RGB: Final[dict[Colour, Vector]] = {
    Colour.RED: (0.80, 0.12, 0.10),
    Colour.GREEN: (0.13, 0.58, 0.16),
    Colour.BLUE: (0.12, 0.24, 0.82),
    Colour.YELLOW: (0.92, 0.78, 0.12),
    Colour.PURPLE: (0.52, 0.14, 0.66),
    Colour.CYAN: (0.14, 0.74, 0.78),
}
"""Base colours, 0..1."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How a material answers light.

    Attributes:
        highlight: strength of the highlight, 0..1.
        doublings: the highlight's exponent is 2 to this power.
        mirror: share of the surroundings it reflects, 0..1.
    """

    highlight: float
    doublings: int
    mirror: float


FINISHES: Final[dict[Material, Finish]] = {
    Material.RUBBER: Finish(highlight=0.08, doublings=3, mirror=0.0),
    Material.METAL: Finish(highlight=0.75, doublings=6, mirror=0.35),
}

FADE_M: Final = 45.0
"""Depth at which half of the ground's colour has turned into the sky's."""

MOTTLE_CELLS: Final = 64
"""Period of the mottled ground, in mottles."""


@dataclass(frozen=True, slots=True)
class Surface:
    """The points of one solid or of the ground that rays meet, as flat fields.

    Attributes:
        owner: the number of the solid, 0 for the ground.
        point: world metres.
        normal: outward unit vectors.
        to_eye: unit vectors to the camera.
        albedo: red, green, blue, 0..1.
        finish: how it answers light.
    """

    owner: int
    point: Field
    normal: Field
    to_eye: Field
    albedo: Field
    finish: Finish


def shade(scene: Scene, width: int, height: int) -> npt.NDArray[np.float32]:
    """Colours of `scene`, (H, W, 3) float32; highlights may exceed 1."""
    rays = camera_rays(scene.camera, width, height, np.float32)
    hits = cast(scene, rays)
    colours = _sky(scene.backdrop, rays)
    for number in range(len(scene.solids) + 1):
        rows, columns = np.nonzero((hits.instance == number) & (hits.depth < inf))
        pixels = (rows, columns)
        if rows.size:
            surface = _surface(scene, rays, hits.depth[pixels], pixels, number)
            lit = _lit(scene, surface)
            colours[pixels] = lit if number else _faded(lit, hits.depth[pixels], colours[pixels])
    return colours


def _surface(
    scene: Scene,
    rays: Rays,
    depth: Floats,
    pixels: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    number: int,
) -> Surface:
    """What the rays through `pixels` meet at `depth`."""
    across, along, up = (component[pixels] for component in rays.direction)
    x0, y0, z0 = (np.float32(c) for c in rays.camera.position)
    point = (x0 + depth * across, y0 + depth * along, z0 + depth * up)
    length = np.sqrt(across * across + along * along + up * up)
    to_eye = (-across / length, -along / length, -up / length)
    if number == 0:
        albedo, finish = _ground_colour(scene.backdrop, point, depth), FINISHES[Material.RUBBER]
        return Surface(0, point, _flat(depth), to_eye, albedo, finish)
    solid = scene.solids[number - 1]
    red, green, blue = (np.full_like(depth, c) for c in RGB[solid.colour])
    return Surface(
        number, point, normals(solid, point), to_eye, (red, green, blue), FINISHES[solid.material]
    )


def _lit(scene: Scene, surface: Surface) -> npt.NDArray[np.float32]:
    """Colours (N, 3) of a surface under all lights."""
    ambient = np.float32(scene.backdrop.ambient)
    light_sum = [np.full_like(surface.point[0], ambient) for _ in range(3)]
    highlights = np.zeros_like(surface.point[0])
    for light in scene.lights:
        facing = _project(surface.normal, light.direction)
        reaches = (facing > 0) & ~_shadowed(scene, surface, light)
        strength = np.where(reaches, np.float32(light.strength), np.float32(0))
        for channel, tint in enumerate(light.tint):
            light_sum[channel] += strength * facing * np.float32(tint)
        highlights += strength * _highlight(surface, light)
    return _composed(scene.backdrop, surface, light_sum, highlights)


def _composed(
    backdrop: Backdrop, surface: Surface, light_sum: list[Floats], highlights: Floats
) -> npt.NDArray[np.float32]:
    """Diffuse, mirrored and highlight parts added up per channel."""
    mirror = np.float32(surface.finish.mirror)
    skyward = _skyward(surface) if surface.finish.mirror else None
    colours = np.empty((highlights.size, 3), dtype=np.float32)
    for channel in range(3):
        base = surface.albedo[channel] * light_sum[channel] * (1 - mirror)
        if skyward is not None:
            low, high = backdrop.ground[channel] * 0.5, backdrop.sky[channel]
            seen = np.float32(low) + np.float32(high - low) * skyward
            base += mirror * seen * (np.float32(0.35) + np.float32(0.65) * surface.albedo[channel])
        colours[:, channel] = base + np.float32(surface.finish.highlight) * highlights
    return colours


def _highlight(surface: Surface, light: Light) -> Floats:
    """Blinn-Phong term, 0..1."""
    half_x, half_y, half_z = (
        eye + np.float32(c) for eye, c in zip(surface.to_eye, light.direction, strict=True)
    )
    length = np.sqrt(half_x * half_x + half_y * half_y + half_z * half_z) + np.float32(1e-6)
    normal_x, normal_y, normal_z = surface.normal
    value: Floats = (half_x * normal_x + half_y * normal_y + half_z * normal_z) / length
    value = np.maximum(value, np.float32(0))
    for _ in range(surface.finish.doublings):
        value *= value
    return value


def _skyward(surface: Surface) -> Floats:
    """How far the mirrored ray points up: 0 at the ground, 1 at the zenith."""
    (nx, ny, nz), (ex, ey, ez) = surface.normal, surface.to_eye
    up = 2 * (nx * ex + ny * ey + nz * ez) * nz - ez
    return _smooth(_share(up * np.float32(1.5) + np.float32(0.5)))


def _shadowed(scene: Scene, surface: Surface, light: Light) -> Bools:
    """Which points another solid hides from `light`."""
    hidden = np.zeros(surface.point[0].shape, dtype=np.bool_)
    for number, solid in enumerate(scene.solids, start=1):
        if number == surface.owner:
            continue
        from_centre = tuple(
            p - np.float32(c) for p, c in zip(surface.point, solid.centre, strict=True)
        )
        candidates = np.nonzero(_near_the_beam(from_centre, light, solid.bounding_radius_m))[0]
        x, y, z = (component[candidates] for component in from_centre)
        distance = entry_distance(solid, (x, y, z), light.direction)
        hidden[candidates[distance < inf]] = True
    return hidden


def _near_the_beam(from_centre: tuple[Floats, ...], light: Light, radius: float) -> Bools:
    """Whether the ray from a point to the light passes the bounding ball."""
    x, y, z = from_centre
    along = _project((x, y, z), light.direction)
    off_axis = x * x + y * y + z * z - along * along
    return (off_axis < np.float32(radius * radius)) & (along < np.float32(radius))


def _project(field: Field, direction: Vector) -> Floats:
    """The component of every vector along `direction`."""
    x, y, z = (np.float32(c) for c in direction)
    projected: Floats = field[0] * x + field[1] * y + field[2] * z
    return projected


def _flat(depth: Floats) -> Field:
    """Normals of the ground."""
    zero = np.zeros_like(depth)
    return zero, zero, np.ones_like(depth)


def _sky(backdrop: Backdrop, rays: Rays) -> npt.NDArray[np.float32]:
    """The sky in every pixel, a little darker towards the zenith."""
    darker = np.float32(1) - np.float32(0.35) * _share(rays.direction[2])
    channels = [darker * np.float32(channel) for channel in backdrop.sky]
    return np.stack(channels, axis=-1, dtype=np.float32)


def _faded(
    lit: npt.NDArray[np.float32], depth: Floats, sky: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The ground, turning into the sky with distance."""
    square = depth * depth
    share = (square / (square + np.float32(FADE_M * FADE_M)))[:, None]
    return np.asarray(lit + (sky - lit) * share, dtype=np.float32)


def _ground_colour(backdrop: Backdrop, point: Field, depth: Floats) -> Field:
    """Albedo of the ground; the pattern fades before it becomes finer than a pixel."""
    cells_x = point[0] / np.float32(backdrop.pattern_size_m)
    cells_y = point[1] / np.float32(backdrop.pattern_size_m)
    if backdrop.pattern is GroundPattern.TILES:
        pattern = _tiles(cells_x, cells_y)
    elif backdrop.pattern is GroundPattern.MOTTLED:
        pattern = _mottles(cells_x, cells_y, backdrop.texture_seed)
    else:
        pattern = np.zeros_like(depth)
    fade = _share(np.float32(1.3) - depth / np.float32(30.0))
    factor = 1 + np.float32(backdrop.pattern_strength) * pattern * fade
    red, green, blue = (factor * np.float32(channel) for channel in backdrop.ground)
    return red, green, blue


def _tiles(cells_x: Floats, cells_y: Floats) -> Floats:
    """A chequerboard of -1 and 1."""
    parity = np.floor(cells_x) + np.floor(cells_y)
    return np.where(parity - 2 * np.floor(parity / 2) > 0, np.float32(1), np.float32(-1))


def _mottles(cells_x: Floats, cells_y: Floats, seed: int) -> Floats:
    """Smooth noise in -1..1: a lattice of random values, interpolated."""
    bits = np.random.Generator(np.random.PCG64([seed, 2]))
    lattice = bits.random((MOTTLE_CELLS, MOTTLE_CELLS), dtype=np.float32) * 2 - 1
    floor_x, floor_y = np.floor(cells_x), np.floor(cells_y)
    column, row = floor_x.astype(np.int32), floor_y.astype(np.int32)
    part_x, part_y = _smooth(cells_x - floor_x), _smooth(cells_y - floor_y)
    lower = _between(lattice, row, column, part_x)
    return lower + (_between(lattice, row + 1, column, part_x) - lower) * part_y


def _between(
    lattice: npt.NDArray[np.float32],
    row: npt.NDArray[np.int32],
    column: npt.NDArray[np.int32],
    part: Floats,
) -> Floats:
    """Interpolation along one row of the lattice, wrapping round."""
    row, column = row % MOTTLE_CELLS, column % MOTTLE_CELLS
    left = lattice[row, column]
    return left + (lattice[row, (column + 1) % MOTTLE_CELLS] - left) * part


def _share(values: Floats) -> Floats:
    """The values, limited to 0..1."""
    return np.minimum(np.maximum(values, np.float32(0)), np.float32(1))


def _smooth(part: Floats) -> Floats:
    """Eases 0..1 in and out."""
    return part * part * (3 - 2 * part)
