"""Sampling of scenes: `(seed, index)` decides everything, on every machine.

Solids never overlap on the ground, lie wholly inside the frame, and each shows at least
`min_visible_px` pixels. Layouts are drawn by rejection with a bounded number of tries; a scene that
stays crowded loses its hidden solids instead of failing. Only raw uniform doubles are drawn: numpy
keeps that stream stable.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final, TypeVar

import numpy as np

from tasks.ingest.scenes.rays import ball_extent_px, camera_rays, cast
from tasks.ingest.scenes.solids import (
    Backdrop,
    Camera,
    Colour,
    GroundPattern,
    Light,
    Material,
    Scene,
    Shape,
    Size,
    Solid,
    Vector,
    unit,
)

Item = TypeVar("Item")

LAYOUT_TRIES: Final = 6
"""Whole layouts drawn before hidden solids are dropped."""

PLACE_TRIES: Final = 40
"""Positions drawn for one solid before it is left out."""

GAP_M: Final = 0.15
"""Smallest distance between two footprints."""

FIELD_M: Final = (-2.7, 2.7, -2.6, 3.4)
"""Lowest and highest x, then y, of a solid's centre."""

MIN_VISIBLE_SHARE: Final = 0.3
"""A solid that shows less of its silhouette counts as hidden."""

MIN_SIDE_PX: Final = 32
MOST_OBJECTS: Final = 12


@dataclass(frozen=True, slots=True)
class SceneParams:
    """What decides the images and questions of a `scenes` source; all of it enters the fingerprint.

    Attributes:
        n: number of scenes.
        seed: any number from 0; scene i of two sources with one seed is the same scene.
        width: image width in pixels.
        height: image height in pixels.
        min_objects: fewest solids drawn (a crowded layout may keep fewer).
        max_objects: most solids drawn.
        min_visible_px: smallest visible area of a solid, in pixels.
        questions_per_scene: most questions asked about one scene.
    """

    n: int
    seed: int = 0
    width: int = 256
    height: int = 192
    min_objects: int = 2
    max_objects: int = 7
    min_visible_px: int = 100
    questions_per_scene: int = 4

    def __post_init__(self) -> None:
        """Refuse values that no scene can satisfy."""
        _at_least("n", self.n, 0)
        _at_least("seed", self.seed, 0)
        _at_least("width", self.width, MIN_SIDE_PX)
        _at_least("height", self.height, MIN_SIDE_PX)
        _at_least("min_objects", self.min_objects, 1)
        _at_least("max_objects", self.max_objects, self.min_objects)
        _at_least("min_visible_px", self.min_visible_px, 1)
        _at_least("questions_per_scene", self.questions_per_scene, 0)
        if self.max_objects > MOST_OBJECTS:
            message = f"max_objects must be at most {MOST_OBJECTS}, found {self.max_objects!r}"
            raise ValueError(message)


def sample_scene(seed: int, index: int, params: SceneParams) -> Scene:
    """Scene number `index` of the stream `seed`; the same on every machine."""
    draw = Draw(seed, index)
    camera, lights, backdrop = _camera(draw), _lights(draw), _backdrop(draw)
    wanted = draw.whole(params.min_objects, params.max_objects)
    scene = Scene((), lights, camera, backdrop)
    for _ in range(LAYOUT_TRIES):
        solids = _layout(draw, camera, params.width / params.height, wanted)
        scene = Scene(solids, lights, camera, backdrop)
        if len(solids) == wanted and not _hidden(scene, params):
            return scene
    return _without_hidden(scene, params)


class Draw:
    """A private stream of uniform numbers."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.Generator(np.random.PCG64(list(key)))

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(self._bits.random())

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + int((high - low + 1) * float(self._bits.random()))

    def one_of(self, items: tuple[Item, ...]) -> Item:
        """One of `items`, all equally likely."""
        return items[self.whole(0, len(items) - 1)]

    def shuffled(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """`items` in random order."""
        rest, order = list(items), []
        while rest:
            order.append(rest.pop(self.whole(0, len(rest) - 1)))
        return tuple(order)


def _camera(draw: Draw) -> Camera:
    """A camera 5-8.5 m before the field, from chest height to well above."""
    target = (draw.between(-0.4, 0.4), draw.between(-0.3, 0.6), draw.between(0.2, 0.7))
    position = (draw.between(-0.8, 0.8), -draw.between(5.0, 8.5), draw.between(1.6, 4.8))
    return Camera(position, target, draw.between(0.95, 1.35))


def _lights(draw: Draw) -> tuple[Light, ...]:
    """One strong lamp and up to two weak ones."""
    count = draw.whole(1, 3)
    return tuple(_light(draw, is_key=number == 0) for number in range(count))


def _light(draw: Draw, *, is_key: bool) -> Light:
    direction = unit((draw.between(-1.0, 1.0), draw.between(-1.0, 0.5), draw.between(0.7, 1.6)))
    strength = draw.between(0.55, 0.85) if is_key else draw.between(0.1, 0.3)
    warmth = draw.between(-0.06, 0.06)
    return Light(direction, strength, (1.0 + warmth, 1.0, 1.0 - warmth))


def _backdrop(draw: Draw) -> Backdrop:
    """Greyish ground and sky, so that colour belongs to the solids."""
    grey, warmth = draw.between(0.42, 0.72), draw.between(-0.05, 0.05)
    light, blue = draw.between(0.66, 0.86), draw.between(0.0, 0.08)
    return Backdrop(
        ground=(grey + warmth, grey, grey - warmth),
        pattern=draw.one_of(tuple(GroundPattern)),
        pattern_size_m=draw.between(0.5, 1.2),
        pattern_strength=draw.between(0.05, 0.2),
        sky=(light - blue, light, light + blue),
        ambient=draw.between(0.28, 0.42),
        noise_levels=draw.between(0.0, 5.0),
        texture_seed=draw.whole(0, 2**31 - 1),
    )


def _layout(draw: Draw, camera: Camera, aspect: float, wanted: int) -> tuple[Solid, ...]:
    """Up to `wanted` solids that stand apart and inside the frame."""
    solids: list[Solid] = []
    for _ in range(wanted):
        for _ in range(PLACE_TRIES):
            solid = _solid(draw)
            if _is_in_frame(solid, camera, aspect) and _stands_apart(solid, solids):
                solids.append(solid)
                break
    return tuple(solids)


def _solid(draw: Draw) -> Solid:
    """A random solid somewhere in the field."""
    low_x, high_x, low_y, high_y = FIELD_M
    half_tangent = draw.between(-1.0, 1.0)
    norm = 1.0 + half_tangent * half_tangent
    return Solid(
        shape=draw.one_of(tuple(Shape)),
        colour=draw.one_of(tuple(Colour)),
        material=draw.one_of(tuple(Material)),
        size=draw.one_of(tuple(Size)),
        x=draw.between(low_x, high_x),
        y=draw.between(low_y, high_y),
        turn=((1.0 - half_tangent * half_tangent) / norm, 2.0 * half_tangent / norm),
    )


def _is_in_frame(solid: Solid, camera: Camera, aspect: float) -> bool:
    """Whether the whole solid projects into the image."""
    left, top, right, bottom = ball_extent_px(solid, camera, camera.focal_share)
    return left > -aspect / 2 and right < aspect / 2 and top > -1 / 2 and bottom < 1 / 2


def _stands_apart(solid: Solid, others: list[Solid]) -> bool:
    """Whether the footprint keeps its distance from all the others."""
    return all(
        sqrt((solid.x - other.x) ** 2 + (solid.y - other.y) ** 2)
        >= solid.footprint_radius_m + other.footprint_radius_m + GAP_M
        for other in others
    )


def _hidden(scene: Scene, params: SceneParams) -> set[int]:
    """Numbers of the solids that show too little."""
    hits = cast(scene, camera_rays(scene.camera, params.width, params.height))
    visible = np.bincount(hits.instance.ravel(), minlength=len(scene.solids) + 1)
    return {
        number
        for number, silhouette in enumerate(hits.silhouette_px, start=1)
        if visible[number] < max(params.min_visible_px, MIN_VISIBLE_SHARE * silhouette)
    }


def _without_hidden(scene: Scene, params: SceneParams) -> Scene:
    """The scene with its hidden solids taken out, or one large ball where none is left."""
    hidden = _hidden(scene, params)
    kept = tuple(s for number, s in enumerate(scene.solids, start=1) if number not in hidden)
    solids = kept or (_centred_ball(scene.camera.target),)
    return Scene(solids, scene.lights, scene.camera, scene.backdrop)


def _centred_ball(target: Vector) -> Solid:
    """The solid that any camera of ours sees."""
    return Solid(Shape.SPHERE, Colour.RED, Material.RUBBER, Size.LARGE, target[0], target[1])


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        message = f"{name} must be an integer of at least {least}, found {value!r}"
        raise ValueError(message)
