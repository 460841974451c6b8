"""What a scene is made of: solids on a ground plane, lights, a camera.

World frame: x right, y away from the camera, z up, in metres; the ground is z = 0. All values are
plain floats and no trigonometry is needed to use them, so a scene means the same pixels on every
machine.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Final, TypeAlias

Vector: TypeAlias = tuple[float, float, float]


class Shape(StrEnum):
    """The form of a solid; every solid stands on the ground."""

    SPHERE = "sphere"
    BOX = "box"
    CYLINDER = "cylinder"


class Colour(StrEnum):
    """The name of a surface colour; far enough apart to survive tinted lights and noise."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    PURPLE = "purple"
    CYAN = "cyan"


class Material(StrEnum):
    """The surface: rubber is matt, metal has a sharp highlight and mirrors the sky."""

    RUBBER = "rubber"
    METAL = "metal"


class Size(StrEnum):
    """The size class of a solid."""

    SMALL = "small"
    LARGE = "large"


HALF_HEIGHT_M: Final[dict[Size, float]] = {Size.SMALL: 0.36, Size.LARGE: 0.70}
"""Half the height of a solid; a sphere's radius."""

HALF_WIDTH_SHARE: Final[dict[Shape, float]] = {
    Shape.SPHERE: 1.0,
    Shape.BOX: 0.85,
    Shape.CYLINDER: 0.80,
}
"""Half the horizontal extent of a shape as a share of its half height."""


@dataclass(frozen=True, slots=True)
class Solid:
    """One object standing on the ground at (x, y).

    Attributes:
        x: metres to the right of the world origin.
        y: metres away from the camera side.
        turn: (cosine, sine) of the rotation about the vertical; matters for boxes only.
    """

    shape: Shape
    colour: Colour
    material: Material
    size: Size
    x: float
    y: float
    turn: tuple[float, float] = (1.0, 0.0)

    @property
    def half_height_m(self) -> float:
        """Half the vertical extent; also the height of the centre above the ground."""
        return HALF_HEIGHT_M[self.size]

    @property
    def half_width_m(self) -> float:
        """Half the horizontal extent along the solid's own axes."""
        return self.half_height_m * HALF_WIDTH_SHARE[self.shape]

    @property
    def centre(self) -> Vector:
        """The middle of the solid in world metres."""
        return (self.x, self.y, self.half_height_m)

    @property
    def footprint_radius_m(self) -> float:
        """Radius of the circle on the ground that holds the solid, whatever its rotation."""
        return self.half_width_m * sqrt(2.0) if self.shape is Shape.BOX else self.half_width_m

    @property
    def bounding_radius_m(self) -> float:
        """Radius of the ball about the centre that holds the solid."""
        if self.shape is Shape.SPHERE:
            return self.half_height_m
        return sqrt(self.footprint_radius_m**2 + self.half_height_m**2)


@dataclass(frozen=True, slots=True)
class Light:
    """A distant lamp.

    Attributes:
        direction: unit vector from the scene towards the lamp.
        strength: factor on the diffuse and specular terms, about 0..1.
        tint: red, green, blue factors close to 1.
    """

    direction: Vector
    strength: float
    tint: Vector


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera without roll.

    Attributes:
        position: metres, world frame.
        target: the point that the optical axis passes through.
        focal_share: focal length as a share of the image height.
    """

    position: Vector
    target: Vector
    focal_share: float

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Right, up and forward unit vectors in the world frame."""
        forward = unit(minus(self.target, self.position))
        right = unit((forward[1], -forward[0], 0.0))
        up = (
            right[1] * forward[2] - right[2] * forward[1],
            right[2] * forward[0] - right[0] * forward[2],
            right[0] * forward[1] - right[1] * forward[0],
        )
        return right, up, forward


class GroundPattern(StrEnum):
    """How the ground is painted."""

    PLAIN = "plain"
    TILES = "tiles"
    MOTTLED = "mottled"


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Ground, sky and sensor.

    Attributes:
        ground: base colour of the ground, 0..1.
        pattern: how it is painted.
        pattern_size_m: edge of a tile or of a mottle.
        pattern_strength: contrast of the pattern, 0..1.
        sky: colour at the horizon, 0..1; distant ground fades into it.
        ambient: light that reaches everything, 0..1.
        noise_levels: largest deviation of the sensor noise, in grey levels.
        texture_seed: seeds mottles and noise.
    """

    ground: Vector
    pattern: GroundPattern
    pattern_size_m: float
    pattern_strength: float
    sky: Vector
    ambient: float
    noise_levels: float
    texture_seed: int


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides the pixels of one image; `solids[k - 1]` is object number k."""

    solids: tuple[Solid, ...]
    lights: tuple[Light, ...]
    camera: Camera
    backdrop: Backdrop


def minus(a: Vector, b: Vector) -> Vector:
    """The vector from `b` to `a`."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def dot(a: Vector, b: Vector) -> float:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Vector) -> Vector:
    """`a` scaled to length 1."""
    length = sqrt(dot(a, a))
    return (a[0] / length, a[1] / length, a[2] / length)
