"""What a chain is about: the facts of one sample, and the parameters that decide its course.

`ChainParams` is part of the recipe's identity: whatever it holds changes replies.  How many calls
run at once or where the endpoint is stands elsewhere.  Boxes here are fractions of the original.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from sightline.boxes import Box, area, as_box, clip, px_to_frac, union
from sightline.errors import RecipeError
from sightline.ids import content_id
from sightline.provenance import fingerprint_of
from sightline.roles import Role
from tasks.distill.stages import Stage, structure_of, template_problems
from tasks.distill.zoom import GATE_SHARE, STOP_RATIO
from tasks.replies.grammar import ANSWER_GRAMMARS, REGION_GRAMMARS
from tasks.replies.parsed import Grammar
from tasks.replies.stated_boxes import Convention


@dataclass(frozen=True, slots=True)
class ChainParams:
    """What decides the replies of a chain; defaults are those of VisReason.

    Attributes:
        teacher: model name as the endpoint knows it.
        rounds: most views shown in one chain, the last of which is answered (Pro: 4).
        stop_ratio: zooming stops when the region is at most this many times the target.
        gate_share: a target above this share of the image is answered in one round.
        single_round_mix: share of the other samples answered in one round too (Text/Doc: 0.5).
        reveal_answer: whether the teacher is told the known answer.
        reveal_target: whether the teacher is told where the evidence lies.
        min_view_px: least side of a crop, in pixels of the original.
        max_view_px: longer side of what is sent; larger views are scaled down.
        max_objects: most objects listed, largest first.
        object_min_share: least share of an object inside a view for it to be listed there.
        large_boxes: how to read a box with numbers above 1 that fits both readings.
        grammar: form of the replies that answer; `auto` takes the first known form that fits.
        zoom_grammar: form of the replies that state a region; `auto` likewise.
        name: what its parts and crops are named after; the model's name if it is empty.
        role: teacher, or student: a student's chains are graded, never exported.
        draw: which of the samples of one request.
        temperature: sampling temperature of the teacher.
        max_tokens: most tokens of one reply.
        extra: further request parameters, such as a seed; JSON values by name.
        structured: whether the endpoint is told the form of each reply (a JSON schema).
        repair: how often a reply that cannot be read is sent back; 0 or 1.
        prompts: templates by stage (zoom, final, single) instead of those that ship.
    """

    teacher: str
    rounds: int = 3
    stop_ratio: float = STOP_RATIO
    gate_share: float = GATE_SHARE
    single_round_mix: float = 0.0
    reveal_answer: bool = True
    reveal_target: bool = True
    min_view_px: int = 32
    max_view_px: int = 1568
    max_objects: int = 30
    object_min_share: float = 0.5
    large_boxes: Convention = Convention.PER_MILLE
    grammar: Grammar = Grammar.AUTO
    zoom_grammar: Grammar = Grammar.AUTO
    name: str = ""
    role: Role = Role.TEACHER
    draw: int = 0
    temperature: float = 0.0
    max_tokens: int = 1024
    extra: Mapping[str, Any] = field(default_factory=dict)
    structured: bool = False
    repair: int = 1
    prompts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [
            f"{name} must be {expected}, found {getattr(self, name)!r}"
            for name, expected, holds in (
                ("rounds", "at least 1", self.rounds >= 1),
                ("stop_ratio", "at least 1", self.stop_ratio >= 1),
                ("gate_share", "in [0, 1]", 0 <= self.gate_share <= 1),
                ("single_round_mix", "in [0, 1]", 0 <= self.single_round_mix <= 1),
                ("min_view_px", "at least 1", self.min_view_px >= 1),
                ("max_view_px", "at least min_view_px", self.max_view_px >= self.min_view_px),
                ("max_tokens", "at least 1", self.max_tokens >= 1),
                ("large_boxes", "0-1000 or px", self.large_boxes is not Convention.UNIT),
                ("grammar", _one_of(ANSWER_GRAMMARS), self.grammar in ANSWER_GRAMMARS),
                ("zoom_grammar", _one_of(REGION_GRAMMARS), self.zoom_grammar in REGION_GRAMMARS),
                ("role", "teacher or student", self.role in {Role.TEACHER, Role.STUDENT}),
                ("draw", "at least 0", self.draw >= 0),
                ("repair", "0 or 1", self.repair in {0, 1}),
            )
            if not holds
        ]
        wrong += template_problems(self.prompts)
        if wrong:
            msg = f"distill parameters: {'; '.join(wrong)}"
            raise RecipeError(msg)

    def request_parameters(self, stage: Stage) -> dict[str, Any]:
        """Return what the endpoint is sent besides the messages of a stage."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            **(structure_of(stage) if self.structured else {}),
            **dict(self.extra),
        }


def _one_of(grammars: Collection[Grammar]) -> str:
    return f"one of {', '.join(sorted(grammars))}"


@dataclass(frozen=True, slots=True)
class SceneObject:
    """An object a prompt may list; `depth` is normalised, 1 nearest, None if it is not known."""

    object_id: int
    category: str
    box: Box
    depth: float | None


@dataclass(frozen=True, slots=True)
class ChainCase:
    """One sample as a chain sees it.

    Attributes:
        target: union of the ground-truth boxes; None if the source states none.
        image_id: the first image; None if its bytes are not stored.
    """

    sample_id: str
    question: str | None
    choices: tuple[str, ...]
    answer: str | None
    answer_kind: str | None
    target: Box | None
    image_id: str | None
    width: int
    height: int
    objects: tuple[SceneObject, ...]
    params: ChainParams

    @property
    def size_px(self) -> tuple[int, int]:
        """Return width and height of the original."""
        return (self.width, self.height)

    @property
    def chain_id(self) -> str:
        """Return the id shared by all replies of this chain."""
        return content_id("chain", self.sample_id, fingerprint_of(asdict(self.params)))


def cases_of(samples: pa.Table, objects: pa.Table | None, params: ChainParams) -> list[ChainCase]:
    """Return one case per sample, in the order of `samples`.

    Args:
        samples: rows of `samples`.
        objects: rows of `objects` for their images, if there are any.
        params: of the recipe.
    """
    listed = _objects_by_image(objects, params.max_objects) if objects is not None else {}
    return [_case(row, listed, params) for row in samples.to_pylist()]


def _case(
    row: Mapping[str, Any], listed: Mapping[str, tuple[SceneObject, ...]], params: ChainParams
) -> ChainCase:
    image_id = row["image_ids"][0] if row["image_ids"] else None
    width, height = int(row["image_width"]), int(row["image_height"])
    return ChainCase(
        sample_id=row["sample_id"],
        question=row["question"],
        choices=tuple(row["choices"] or ()),
        answer=row["answer"],
        answer_kind=row["answer_kind"],
        target=target_of(row["boxes"], width, height),
        image_id=image_id,
        width=width,
        height=height,
        objects=listed.get(image_id, ()) if image_id else (),
        params=params,
    )


def target_of(boxes_px: Sequence[Sequence[float]] | None, width: int, height: int) -> Box | None:
    """Return the union of pixel boxes as fractions of the image, None if it has no area."""
    boxes = [box for box in map(as_box, boxes_px or ()) if box is not None]
    if not boxes or width < 1 or height < 1:
        return None
    target = clip(px_to_frac(union(boxes), width, height))
    return target if area(target) > 0 else None


def _objects_by_image(objects: pa.Table, most: int) -> dict[str, tuple[SceneObject, ...]]:
    wanted = ["image_id", "object_id", "category", "box", "depth_median", "depth_status"]
    by_image: dict[str, list[SceneObject]] = {}
    for row in objects.select(wanted).to_pylist():
        scene_object = _scene_object(row)
        if scene_object is not None:
            by_image.setdefault(row["image_id"], []).append(scene_object)
    return {image: tuple(_largest(found, most)) for image, found in by_image.items()}


def _scene_object(row: Mapping[str, Any]) -> SceneObject | None:
    box = as_box(row["box"])
    if box is None or area(box) <= 0:
        return None
    depth = row["depth_median"] if row["depth_status"] == "ok" else None
    return SceneObject(int(row["object_id"]), row["category"] or "object", box, depth)


def _largest(found: Sequence[SceneObject], most: int) -> Iterator[SceneObject]:
    """Yield the `most` largest, in the order of their ids, whatever order they came in."""
    kept = sorted(found, key=lambda o: (-area(o.box), o.object_id))[:most]
    yield from sorted(kept, key=lambda o: o.object_id)
