"""What the rules judge: a chain with its sample, replies, regions, cites and objects.

Built once per part from Arrow tables; rows may come in any order.  Boxes are fractions of the
original image, so that a region of any round can be compared with the target and the objects.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.boxes import Box, area, as_box, clip, from_view, px_to_frac, union
from sightline.thinking import join_thinking
from tasks.replies.defects import defects_of
from tasks.replies.parsed import Defect


@dataclass(frozen=True, slots=True)
class Sample:
    """The facts of one sample; `target` is the union of its boxes, None if there are none."""

    sample_id: str
    answer: str | None
    answer_kind: str | None
    choices: tuple[str, ...]
    target: Box | None
    image_id: str | None


@dataclass(frozen=True, slots=True)
class Cited:
    """An object a reply cites; `box` is on the original, None if it was no box in the view."""

    name: str
    box: Box | None
    depth: float | None


@dataclass(frozen=True, slots=True)
class StatedRegion:
    """The region of a zoom round.

    Attributes:
        stated: fractions of the view, as written; None if nothing readable was.
        stated_original: the stated region inside the view, on the original.
        fixed_original: the region after verification, on the original; None if discarded.
    """

    stated: Box | None
    stated_original: Box | None
    fixed_original: Box | None


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of a chain, as parsed."""

    generation_id: str
    round: int
    stage: str
    region: StatedRegion | None
    answer: str | None
    cites: tuple[Cited, ...]
    defects: tuple[Defect, ...] = ()


@dataclass(frozen=True, slots=True)
class DepthObject:
    """An object whose depth is known: median in [0, 1], 1 nearest."""

    box: Box
    depth: float


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain and all that rules need; `replies` in their order."""

    chain_id: str
    sample: Sample
    replies: tuple[Reply, ...]
    objects: tuple[DepthObject, ...]

    @property
    def answer(self) -> str | None:
        """Return the answer of the last reply that gave one."""
        return next((r.answer for r in reversed(self.replies) if r.answer is not None), None)

    @property
    def cites(self) -> tuple[Cited, ...]:
        """Return the cites of all replies."""
        return tuple(cite for reply in self.replies for cite in reply.cites)


def chains_of(
    samples: pa.Table,
    generations: pa.Table,
    steps: pa.Table,
    objects: pa.Table | None,
    prompts: Sequence[str] = (),
) -> Iterator[Chain]:
    """Yield the chains of a part by id; a chain whose sample is not in `samples` is left out.

    Args:
        samples: rows of `samples`.
        generations: rows of `generations`, whole chains.
        steps: rows of `steps` for them.
        objects: rows of `objects` for their images, if there are any.
        prompts: templates of what was asked; a reply that repeats them is an echo.
    """
    asked = "\n".join(prompts)
    by_sample = {row["sample_id"]: _sample(row) for row in samples.to_pylist()}
    by_image = _objects(objects)
    said = _grouped(steps.to_pylist(), "generation_id")
    for chain_id, rows in sorted(_grouped(_light(generations), "chain_id").items()):
        sample = by_sample.get(rows[0]["subject_id"])
        if sample is not None:
            last = _last_turns(rows)
            replies = tuple(_reply(row, said.get(row["generation_id"], []), asked) for row in last)
            yield Chain(chain_id, sample, replies, by_image.get(sample.image_id or "", ()))


def _light(generations: pa.Table) -> list[dict[str, Any]]:
    wanted = [
        "generation_id", "chain_id", "subject_id", "round", "turn", "stage", "view_box",
        "raw_text", "thinking",
    ]  # fmt: skip
    rows: list[dict[str, Any]] = generations.select(wanted).to_pylist()
    return rows


def _last_turns(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last reply of each round, in order: one that was sent back decides nothing."""
    in_order = sorted(rows, key=lambda row: (row["round"], row["turn"] or 0, row["generation_id"]))
    return list({row["round"]: row for row in in_order}.values())


def _grouped(rows: Iterable[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _sample(row: Mapping[str, Any]) -> Sample:
    width, height = row["image_width"], row["image_height"]
    boxes = [box for box in map(as_box, row["boxes"] or ()) if box is not None]
    target = clip(px_to_frac(union(boxes), width, height)) if boxes and width and height else None
    return Sample(
        sample_id=row["sample_id"],
        answer=row["answer"],
        answer_kind=row["answer_kind"],
        choices=tuple(row["choices"] or ()),
        target=target if target is not None and area(target) > 0 else None,
        image_id=row["image_ids"][0] if row["image_ids"] else None,
    )


def _reply(row: Mapping[str, Any], steps: list[dict[str, Any]], asked: str) -> Reply:
    steps = sorted(steps, key=lambda step: step["position"])
    view = as_box(row["view_box"] or ()) or (0.0, 0.0, 1.0, 1.0)
    regions = [_region(step, view) for step in steps if step["kind"] == "roi"]
    answers = [step["text"] for step in steps if step["kind"] == "answer"]
    cites = [
        Cited(step["text"] or "", as_box(step["box_original"] or ()), step["cited_depth"])
        for step in steps
        if step["kind"] == "cite"
    ]
    return Reply(
        generation_id=row["generation_id"],
        round=row["round"],
        stage=row["stage"],
        region=regions[-1] if regions else None,
        answer=answers[-1] if answers else None,
        cites=tuple(cites),
        defects=defects_of(join_thinking(row["thinking"], row["raw_text"]), asked),
    )


def _region(step: Mapping[str, Any], view: Box) -> StatedRegion:
    stated = as_box(step["box_stated"] or ())
    on_original = from_view(clip(stated), view) if stated else None
    return StatedRegion(stated, on_original, as_box(step["box_original"] or ()))


def _objects(objects: pa.Table | None) -> dict[str, tuple[DepthObject, ...]]:
    if objects is None:
        return {}
    wanted = ["image_id", "object_id", "box", "depth_median", "depth_status"]
    found: dict[str, list[DepthObject]] = {}
    rows = objects.select(wanted).to_pylist()
    for row in sorted(rows, key=lambda row: (row["image_id"], row["object_id"])):
        box = as_box(row["box"])
        if box is not None and row["depth_median"] is not None and row["depth_status"] == "ok":
            found.setdefault(row["image_id"], []).append(DepthObject(box, row["depth_median"]))
    return {image_id: tuple(listed) for image_id, listed in found.items()}
