"""Questions: repeatable, unique in what they name, true with a margin, balanced."""

from collections import Counter
from dataclasses import dataclass, replace

import pytest

from tasks.ingest.scenes.asked import CLEAR_SHARE, AnswerKind, QuestionKind, SceneQuestion
from tasks.ingest.scenes.mentions import Attribute, mention, plural
from tasks.ingest.scenes.questions import ask
from tasks.ingest.scenes.relation_questions import DEPTH_GAP_M, is_nearer_by_margin
from tasks.ingest.scenes.render import ObjectTruth, Rendered, object_truths, render
from tasks.ingest.scenes.solids import Colour, Material, Scene, Shape, Size
from tasks.ingest.scenes.world import SceneParams, sample_scene

PARAMS = SceneParams(n=1)


@dataclass(frozen=True)
class Asked:
    scene: Scene
    rendered: Rendered
    truths: tuple[ObjectTruth, ...]
    questions: list[SceneQuestion]


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    rows = []
    for index in range(120):
        scene = sample_scene(5, index, PARAMS)
        rendered = render(scene)
        truths = object_truths(scene, rendered)
        rows.append(Asked(scene, rendered, truths, ask(scene, rendered, 0, 8)))
    return rows


def all_questions(asked: list[Asked]) -> list[SceneQuestion]:
    return [question for row in asked for question in row.questions]


def test_ask_twice_gives_the_same_questions(asked: list[Asked]):
    row = asked[0]
    assert ask(row.scene, row.rendered, 0, 8) == row.questions


def test_ask_other_seed_gives_other_questions(asked: list[Asked]):
    row = asked[0]
    assert ask(row.scene, row.rendered, 1, 8) != row.questions


def test_ask_zero_per_scene_gives_none(asked: list[Asked]):
    assert ask(asked[0].scene, asked[0].rendered, 0, 0) == []


def test_ask_every_kind_occurs_and_wording_varies(asked: list[Asked]):
    questions = all_questions(asked)
    assert {question.kind for question in questions} == set(QuestionKind)
    assert len({" ".join(q.question.split()[:2]) for q in questions}) > 15


def test_ask_answers_have_the_form_of_their_kind(asked: list[Asked]):
    for question in all_questions(asked):
        assert question.question.endswith("?")
        assert "{" not in question.question
        match question.answer_kind:
            case AnswerKind.YES_NO:
                assert question.answer in {"yes", "no"}
            case AnswerKind.NUMBER:
                assert int(question.answer) == len(question.boxes)
            case AnswerKind.CHOICE:
                assert question.answer in question.choices
                assert len(set(question.choices)) == len(question.choices) > 1
            case AnswerKind.TEXT:
                assert question.answer
        assert bool(question.choices) == (question.answer_kind is AnswerKind.CHOICE)


def test_ask_boxes_belong_to_clear_objects(asked: list[Asked]):
    for row in asked:
        clear = {t.box for t in row.truths if t.visible_share >= CLEAR_SHARE}
        for question in row.questions:
            assert question.boxes
            assert set(question.boxes) <= clear


def test_ask_depth_choice_is_the_nearer_object_by_a_margin(asked: list[Asked]):
    checked = 0
    for row in asked:
        depth = {truth.box: truth.depth_m for truth in row.truths}
        for question in row.questions:
            is_choice = question.answer_kind is AnswerKind.CHOICE
            if question.kind is QuestionKind.RELATION_DEPTH and is_choice:
                gap = depth[question.boxes[1]] - depth[question.boxes[0]]
                assert (gap if "closer" in question.question else -gap) >= DEPTH_GAP_M
                checked += 1
    assert checked > 20


def test_ask_side_choice_leaves_free_space_between_boxes(asked: list[Asked]):
    checked = 0
    for question in all_questions(asked):
        if question.kind is QuestionKind.RELATION_2D and question.answer == "left":
            one, other = question.boxes
            assert one[2] < other[0]
            checked += 1
    assert checked > 10


def test_ask_yes_and_no_balance_within_every_kind(asked: list[Asked]):
    answers = Counter(
        (q.kind, q.answer) for q in all_questions(asked) if q.answer_kind is AnswerKind.YES_NO
    )
    for kind in set(QuestionKind) - {QuestionKind.COUNT}:
        yes, no = answers[kind, "yes"], answers[kind, "no"]
        assert 0.35 < yes / (yes + no) < 0.65


def test_ask_right_choice_stands_at_every_place(asked: list[Asked]):
    places = Counter(q.choices.index(q.answer) for q in all_questions(asked) if len(q.choices) == 2)
    assert 0.42 < places[0] / places.total() < 0.58


def test_ask_same_objects_are_asked_once_per_kind(asked: list[Asked]):
    for row in asked:
        keys = [(question.kind, frozenset(question.boxes)) for question in row.questions]
        assert len(set(keys)) == len(keys)


def truth(number: int, colour: Colour, shape: Shape, size: Size = Size.LARGE) -> ObjectTruth:
    box = (number, 0, number + 1, 1)
    return ObjectTruth(number, shape, colour, Material.RUBBER, size, box, 100, 1.0, 5.0)


RED_BALL = truth(1, Colour.RED, Shape.SPHERE)
RED_BOX = truth(2, Colour.RED, Shape.BOX)
SMALL_RED_BOX = truth(3, Colour.RED, Shape.BOX, Size.SMALL)


@pytest.mark.parametrize(
    ("target", "objects", "without", "words"),
    [
        (RED_BALL, (RED_BALL, RED_BOX), (), "red sphere"),
        (RED_BALL, (RED_BALL, RED_BOX), (Attribute.COLOUR,), "sphere"),
        (RED_BALL, (RED_BALL, RED_BOX), (Attribute.SHAPE,), None),
        (RED_BOX, (RED_BOX, SMALL_RED_BOX), (), "large red box"),
        (RED_BOX, (RED_BOX, SMALL_RED_BOX), (Attribute.SIZE,), None),
        (RED_BALL, (RED_BALL,), tuple(Attribute), "object"),
    ],
)
def test_mention_names_one_object_or_nothing(
    target: ObjectTruth,
    objects: tuple[ObjectTruth, ...],
    without: tuple[Attribute, ...],
    words: str | None,
):
    assert mention(target, objects, without) == words


def test_plural_changes_the_noun_only():
    assert plural("large red box") == "large red boxes"


@pytest.mark.parametrize(("near", "far"), [(4.0, 4.7), (8.0, 8.9)])
def test_is_nearer_by_margin_wide_gap_is_beyond_doubt(near: float, far: float):
    one, other = (replace(RED_BALL, depth_m=depth) for depth in (near, far))
    assert is_nearer_by_margin(one, other)
    assert not is_nearer_by_margin(other, one)


# 0.7 m decide at 4 m but not at 8 m, where a tenth of the depth is asked for.
@pytest.mark.parametrize(("near", "far"), [(4.0, 4.5), (8.0, 8.7)])
def test_is_nearer_by_margin_narrow_gap_is_not_a_relation(near: float, far: float):
    one, other = (replace(RED_BALL, depth_m=depth) for depth in (near, far))
    assert not is_nearer_by_margin(one, other)
