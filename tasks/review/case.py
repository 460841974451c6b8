"""A finished chain as second asks see it: its question, its answer, its reasoning and its picture.

Chains without an answer have nothing to judge, reword or guess, and are left out.  Rows may come in
any order; cases come by chain id.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.boxes import Box, area, as_box, clip, px_to_frac, union


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a chain says in one round."""

    round: int
    text: str


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """One finished chain.

    Attributes:
        writer: model that wrote it.
        known_answer: of the annotation, null if there is none.
        given_answer: of the chain.
        reasonings: at least one, in the order of the rounds.
        image_id: the first image; null if its bytes are not stored.
        target: union of the ground-truth boxes, fractions of the image; null if none is stated.
    """

    chain_id: str
    sample_id: str
    writer: str
    question: str | None
    choices: tuple[str, ...]
    known_answer: str | None
    answer_kind: str | None
    given_answer: str
    reasonings: tuple[Reasoning, ...]
    image_id: str | None
    target: Box | None


def cases_of(
    samples: pa.Table, generations: pa.Table, steps: pa.Table, rejected: Collection[str]
) -> list[ReviewCase]:
    """Return the finished chains of a part.

    Args:
        samples: rows of `samples`.
        generations: rows of `generations`, whole chains.
        steps: rows of `steps` for them.
        rejected: ids of chains to leave out.
    """
    asked = {row["sample_id"]: row for row in samples.to_pylist()}
    said = _by_chain(steps)
    wanted = ["chain_id", "subject_id", "teacher"]
    chains = {row["chain_id"]: row for row in generations.select(wanted).to_pylist()}
    return [
        case
        for chain_id, row in sorted(chains.items())
        if chain_id not in rejected
        and row["subject_id"] in asked
        and (case := _case(row, asked[row["subject_id"]], said.get(chain_id, []))) is not None
    ]


def _by_chain(steps: pa.Table) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in steps.select(["chain_id", "round", "position", "kind", "text"]).to_pylist():
        if row["kind"] in {"reasoning", "answer"} and row["text"]:
            found.setdefault(row["chain_id"], []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row["round"], row["position"]))
    return found


def _case(
    chain: Mapping[str, Any], sample: Mapping[str, Any], said: Iterable[Mapping[str, Any]]
) -> ReviewCase | None:
    reasonings = tuple(Reasoning(s["round"], s["text"]) for s in said if s["kind"] == "reasoning")
    answers = [s["text"] for s in said if s["kind"] == "answer"]
    if not reasonings or not answers:
        return None
    return ReviewCase(
        chain_id=chain["chain_id"],
        sample_id=sample["sample_id"],
        writer=chain["teacher"],
        question=sample["question"],
        choices=tuple(sample["choices"] or ()),
        known_answer=sample["answer"],
        answer_kind=sample["answer_kind"],
        given_answer=answers[-1],
        reasonings=reasonings,
        image_id=sample["image_ids"][0] if sample["image_ids"] else None,
        target=_target(sample),
    )


def _target(sample: Mapping[str, Any]) -> Box | None:
    width, height = sample["image_width"], sample["image_height"]
    boxes = list(_boxes(sample["boxes"] or ()))
    if not boxes or width < 1 or height < 1:
        return None
    target = clip(px_to_frac(union(boxes), width, height))
    return target if area(target) > 0 else None


def _boxes(stated: Iterable[Any]) -> Iterator[Box]:
    return (box for box in map(as_box, stated) if box is not None)
