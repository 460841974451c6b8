"""What the report shows of a sample: pictures with frames, every round, verdicts, objects.

Ground truth and regions are drawn on the original and, mapped into its view, on every round.  A
picture or map that is missing or cannot be decoded is left out; the text always stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sightline.boxes import Box, area, as_box, clip, px_to_frac, to_view
from tasks.publish.choice import Choice, Query
from tasks.publish.overlays import (
    MAX_SIDE_PX,
    RGB,
    SMALL_SIDE_PX,
    DepthRow,
    Frame,
    MaskRow,
    Picture,
    colour_of,
    depth_pixels,
    mask_pixels,
    picture_of,
    pixels_of,
)

Row = Mapping[str, Any]

MAX_TEXT_CHARS: Final = 4_000
"""A reply in a loop can be megabytes; the lake keeps it, the page shows its start."""
MAX_OBJECTS: Final = 60


@dataclass(frozen=True, slots=True)
class RoundView:
    """One look of the teacher."""

    number: int
    stage: str
    outcome: str
    picture: Picture | None
    description: str | None
    roi: Box | None
    note: str | None
    reasoning: str | None


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One judgement; `passed` is None where it could not be decided.

    `round` is that of the reply judged, None for a verdict on the chain or the sample.
    """

    round: int | None
    rule: str
    passed: bool | None
    score: float | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class ObjectLine:
    """One object of the image; `colour` is that of its mask."""

    number: int
    category: str
    box: Box | None
    depth: float | None
    depth_status: str
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class SampleView:
    """One sample on the page."""

    choice: Choice
    dataset: str
    domain: str | None
    question: str | None
    choices: tuple[str, ...]
    reference_answer: str | None
    answer: str | None
    teacher: str | None
    licence: str | None
    original: Picture | None
    depth: Picture | None
    masks: Picture | None
    rounds: tuple[RoundView, ...]
    verdicts: tuple[VerdictLine, ...]
    objects: tuple[ObjectLine, ...]

    @property
    def n_bytes(self) -> int:
        """Return the size of the embedded pictures."""
        pictures = [self.original, self.depth, self.masks, *(r.picture for r in self.rounds)]
        return sum(len(picture.uri) for picture in pictures if picture is not None)


SAMPLES = """
select
    samples.sample_id, samples.dataset, samples.domain, samples.question, samples.choices,
    samples.answer, samples.image_ids[1] as image_id, samples.image_width, samples.image_height,
    samples.boxes, samples.licence
from samples where list_contains(?, samples.sample_id)
"""
REPLIES = """
select chain_id, generation_id, round, stage, outcome, teacher, view_image_id, view_box
from generations where list_contains(?, chain_id) order by chain_id, round, generation_id
"""
STEPS = """
select generation_id, kind, text, box, box_original
from steps where list_contains(?, chain_id) order by generation_id, position
"""
VERDICTS = """
select subject_id, rule, passed, score, detail
from verdicts where list_contains(?, subject_id) order by rule, subject_id
"""
OBJECTS = """
select image_id, object_id, category, box, mask_rle, mask_width, mask_height, depth_median,
    depth_status
from objects where list_contains(?, image_id) order by image_id, object_id
"""
DEPTHS = """
select image_id, depth as png, lo, hi, p2, p98, direction
from depth_maps where list_contains(?, image_id)
qualify row_number() over (partition by image_id order by model) = 1
"""
IMAGES = "select image_id, bytes from images where list_contains(?, image_id)"


def read_samples(query: Query, chosen: Sequence[Choice], max_bytes: int) -> Iterator[SampleView]:
    """Yield the chosen samples until their pictures would exceed `max_bytes` together.

    Pictures are read sample by sample, so memory holds those of one.
    """
    left = max_bytes
    samples = _keyed(query, SAMPLES, [c.sample_id for c in chosen], "sample_id")
    for choice in chosen:
        view = _view(query, choice, samples[choice.sample_id][0])
        left -= view.n_bytes
        if left < 0:
            return
        yield view


def _view(query: Query, choice: Choice, sample: Row) -> SampleView:
    image_id = sample["image_id"]
    replies = _keyed(query, REPLIES, [choice.chain_id], "chain_id")[choice.chain_id]
    steps = _keyed(query, STEPS, [choice.chain_id], "generation_id")
    rounds = {reply["generation_id"]: reply["round"] for reply in replies}
    subjects = [choice.chain_id, choice.sample_id, *rounds]
    verdicts = query(VERDICTS, [[s for s in subjects if s]]).to_pylist()
    objects = _keyed(query, OBJECTS, [image_id], "image_id")[image_id]
    wanted = sorted({image_id, *(r["view_image_id"] for r in replies)} - {None})
    stored = {row["image_id"]: row["bytes"] for row in query(IMAGES, [wanted]).to_pylist()}
    rgb = pixels_of(stored.get(image_id))
    truth = _truth(sample)
    answers = [s["text"] for listed in steps.values() for s in listed if s["kind"] == "answer"]
    return SampleView(
        choice=choice,
        dataset=sample["dataset"],
        domain=sample["domain"],
        question=_clipped(sample["question"]),
        choices=tuple(_clipped(c) or "" for c in sample["choices"] or ()),
        reference_answer=_clipped(sample["answer"]),
        answer=_clipped(answers[-1] if answers else None),
        teacher=replies[0]["teacher"] if replies else None,
        licence=sample["licence"],
        original=None if rgb is None else picture_of(
            rgb, _alt(sample), (*_truth_frames(truth), *_roi_frames(replies, steps)), MAX_SIDE_PX
        ),
        depth=_depth_picture(query, image_id, rgb),
        masks=None if rgb is None or not objects else _mask_picture(rgb, objects),
        rounds=tuple(_round(r, steps[r["generation_id"]], stored, truth) for r in replies),
        verdicts=tuple(sorted((_verdict(row, rounds) for row in verdicts), key=_place)),
        objects=tuple(_object(row) for row in objects[:MAX_OBJECTS]),
    )  # fmt: skip


def _keyed(query: Query, sql: str, ids: Iterable[str | None], key: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in query(sql, [[name for name in ids if name]]).to_pylist():
        found[row[key]].append(row)
    return found


def _truth(sample: Row) -> list[Box]:
    boxes = [as_box(box) for box in sample["boxes"] or ()]
    size = (sample["image_width"], sample["image_height"])
    return [clip(px_to_frac(box, *size)) for box in boxes if box is not None]


def _truth_frames(truth: Iterable[Box]) -> Iterator[Frame]:
    for box in truth:
        yield Frame(box, "truth", "ground truth")


def _roi_frames(replies: Iterable[Row], steps: Mapping[str, Sequence[Row]]) -> Iterator[Frame]:
    for reply in replies:
        for step in steps.get(reply["generation_id"], ()):
            box = as_box(step["box_original"] or ())
            if step["kind"] == "roi" and box is not None:
                yield Frame(box, "roi", f"round {reply['round']}", reply["round"])


def _alt(sample: Row) -> str:
    return f"Image of the question: {_clipped(sample['question']) or 'no question'}"


def _depth_picture(query: Query, image_id: str, rgb: RGB | None) -> Picture | None:
    size = None if rgb is None else (rgb.shape[1], rgb.shape[0])
    alt = "Depth of the image: bright is near, dark is far"
    for row in query(DEPTHS, [[image_id]]).to_pylist():
        del row["image_id"]
        coloured = depth_pixels(DepthRow(**row), size)
        return coloured if coloured is None else picture_of(coloured, alt, (), SMALL_SIDE_PX)
    return None


def _mask_picture(rgb: RGB, objects: Sequence[Row]) -> Picture:
    masks = [
        MaskRow(row["object_id"], row["mask_rle"], row["mask_width"], row["mask_height"])
        for row in objects
    ]
    alt = f"The image with {len(objects)} objects tinted; the table of objects names them"
    return picture_of(mask_pixels(rgb, masks), alt, (), SMALL_SIDE_PX)


def _round(
    reply: Row, steps: Sequence[Row], stored: Mapping[str, bytes], truth: Sequence[Box]
) -> RoundView:
    said = {step["kind"]: step for step in steps}
    roi = as_box(said.get("roi", {}).get("box") or ())
    rgb = pixels_of(stored.get(reply["view_image_id"]))
    view = as_box(reply["view_box"] or ())
    frames = [*_truth_frames(_seen(truth, view))]
    if roi is not None:
        frames.append(Frame(roi, "roi", f"round {reply['round']}", reply["round"]))
    repeats = reply["stage"] == "single"  # the original, which stands above
    alt = f"What the teacher saw in round {reply['round']}"
    return RoundView(
        number=reply["round"],
        stage=reply["stage"],
        outcome=reply["outcome"],
        picture=None if rgb is None or repeats else picture_of(rgb, alt, frames, SMALL_SIDE_PX),
        description=_clipped(said.get("description", {}).get("text")),
        roi=roi,
        note=_clipped(said.get("roi", {}).get("text")),
        reasoning=_clipped(said.get("reasoning", {}).get("text")),
    )


def _seen(truth: Iterable[Box], view: Box | None) -> Iterator[Box]:
    """Yield the truth in fractions of the view, where it reaches into the view."""
    for box in truth:
        inside = box if view is None or area(view) <= 0 else clip(to_view(box, view))
        if area(inside) > 0:
            yield inside


def _verdict(row: Row, rounds: Mapping[str, int]) -> VerdictLine:
    number = rounds.get(row["subject_id"])
    return VerdictLine(number, row["rule"], row["passed"], row["score"], _clipped(row["detail"]))


def _place(verdict: VerdictLine) -> tuple[int, str]:
    return (verdict.round or 0, verdict.rule)


def _object(row: Row) -> ObjectLine:
    return ObjectLine(
        number=row["object_id"],
        category=_clipped(row["category"]) or "object",
        box=as_box(row["box"]),
        depth=row["depth_median"],
        depth_status=row["depth_status"],
        colour=colour_of(row["object_id"]),
    )


def _clipped(text: str | None) -> str | None:
    if text is None or len(text) <= MAX_TEXT_CHARS:
        return text
    return text[:MAX_TEXT_CHARS] + f"… ({len(text) - MAX_TEXT_CHARS} more characters in the lake)"
