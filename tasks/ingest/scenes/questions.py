"""Questions about a scene whose answers follow from its exact truth.

Every object that a question names is unique by its description and mostly visible; 2D and depth
relations hold with a margin. Where an answer can be one of two, the wanted answer is drawn first
and a question with that answer is looked for, so the answers balance.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from tasks.ingest.scenes.asked import QuestionKind, SceneQuestion, View
from tasks.ingest.scenes.attribute_questions import claim, count, more, same, what, which_size
from tasks.ingest.scenes.relation_questions import (
    depth_claim,
    extreme_depth,
    side_claim,
    which_depth,
    which_side,
)
from tasks.ingest.scenes.render import Box, Rendered, object_truths
from tasks.ingest.scenes.solids import Scene
from tasks.ingest.scenes.world import Draw

Maker: TypeAlias = Callable[[View], SceneQuestion | None]

MAKERS: Final[dict[QuestionKind, tuple[Maker, ...]]] = {
    QuestionKind.ATTRIBUTE: (what, claim),
    QuestionKind.COUNT: (count,),
    QuestionKind.COMPARISON: (more, same, which_size),
    QuestionKind.RELATION_2D: (which_side, side_claim),
    QuestionKind.RELATION_DEPTH: (which_depth, depth_claim, extreme_depth),
}

TRIES_PER_QUESTION: Final = 10

QUESTION_STREAM: Final = 3
"""Keeps the draws for questions apart from those for textures, which share a seed."""


def ask(scene: Scene, rendered: Rendered, seed: int, per_scene: int) -> list[SceneQuestion]:
    """Up to `per_scene` different questions about a scene, the kinds in turn.

    Fewer come back where the scene does not carry more, for instance with a single object. No two
    are of one kind about the same objects.
    """
    draw = Draw(seed, scene.backdrop.texture_seed, QUESTION_STREAM)
    height, width = rendered.instance.shape
    view = View(object_truths(scene, rendered), (width, height), draw)
    kinds = draw.shuffled(tuple(QuestionKind))
    found: dict[tuple[QuestionKind, frozenset[Box]], SceneQuestion] = {}
    for attempt in range(per_scene * TRIES_PER_QUESTION):
        if len(found) == per_scene:
            break
        made = draw.one_of(MAKERS[kinds[attempt % len(kinds)]])(view)
        if made is not None:
            found.setdefault((made.kind, frozenset(made.boxes)), made)
    return list(found.values())
