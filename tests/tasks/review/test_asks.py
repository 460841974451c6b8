"""What second asks say, show and leave out."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infra.images.decode import decode
from infra.teacher.types import ImagePart
from sightline.errors import Failure, RecipeError
from sightline.outcomes import Outcome
from tasks.review.case import ReviewCase
from tasks.review.kinds import Review
from tasks.review.params import JudgeParams, NeedsImageParams, ReviewParams, RewriteParams
from tasks.review.rounds import Reviewing
from tasks.review.rows import failure_rows, generation_rows

JUDGE = Reviewing(Review.JUDGE, JudgeParams(teacher="judge"))
REWRITE = Reviewing(Review.REWRITE, RewriteParams())
BLIND = Reviewing(Review.NEEDS_IMAGE, NeedsImageParams())
MASKED = Reviewing(Review.NEEDS_IMAGE, NeedsImageParams(masked=True))

QUESTION = ["Question: How many cups?"]
GIVEN = [
    "Given answer: 4",
    "Reasoning 1: I look at the cup ([0.1, 0.1, 0.3, 0.3], depth 0.83).",
    "Reasoning 2: There are four.",
]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


def facts_of(prompt: object) -> list[str]:
    """Return the labelled lines of a prompt, which stand in a block of their own."""
    return next(b for b in str(prompt).split("\n\n") if b.startswith("Question:")).split("\n")


@pytest.mark.parametrize(
    ("reviewing", "expected", "shows"),
    [
        (JUDGE, [*QUESTION, "Reference answer: 4", *GIVEN, "Task: judge"], True),
        (REWRITE, [*QUESTION, *GIVEN, "Task: rewrite"], False),
        (BLIND, [*QUESTION, "Task: blind"], False),
        (MASKED, [*QUESTION, "Task: masked"], True),
    ],
    ids=["judge", "rewrite", "blind", "masked"],
)
def test_review_asks_with_its_facts_and_its_picture_alone(
    make_case: Callable[..., ReviewCase],
    review: Any,
    reviewing: Reviewing,
    expected: list[str],
    shows: bool,  # noqa: FBT001
):
    _, model = review(reviewing, make_case(), '{"answer": "x"}', load=lambda _id: picture())
    content = model.requests[0].content
    assert facts_of(content[-1]) == expected
    assert [isinstance(part, ImagePart) for part in content] == (
        [True, False] if shows else [False]
    )
    assert model.requests[0].model == ("judge" if reviewing is JUDGE else "author")


def test_masked_picture_covers_the_target_and_nothing_else(
    make_case: Callable[..., ReviewCase], review: Any
):
    _, model = review(MASKED, make_case(), '{"answer": "x"}', load=lambda _id: picture())
    rgb = decode(next(model.requests[0].images).data).rgb.astype(int)
    assert np.abs(rgb[20:40, 25:55] - 128).max() < 12
    assert np.abs(rgb[:10, :15] - [200, 30, 30]).max() < 12


@pytest.mark.parametrize(
    ("reviewing", "changes", "why"),
    [
        (JUDGE, {"image_id": None}, "no stored image"),
        (MASKED, {"target": None}, "no region to cover"),
    ],
)
def test_review_of_a_chain_that_lacks_what_is_shown_is_skipped_and_says_so_once(
    make_case: Callable[..., ReviewCase],
    review: Any,
    reviewing: Reviewing,
    changes: dict[str, Any],
    why: str,
):
    results = [review(reviewing, make_case(**changes), "x", draw=draw)[0] for draw in (0, 1)]
    assert all(result.exchanges == () for result in results)
    rows = [row for result in results for row in failure_rows(reviewing, result)]
    assert [(row["item_id"], row["code"]) for row in rows] == [("chain_1", "ask_skipped")]
    assert why in rows[0]["detail"]


def test_review_whose_reply_cannot_be_read_sends_it_back_once(
    make_case: Callable[..., ReviewCase], review: Any
):
    result, model = review(BLIND, make_case(), "perhaps four", '{"answer": 4}', "never asked")
    assert [len(request.turns) for request in model.requests] == [0, 1]
    assert model.requests[1].turns[0].reply == "perhaps four"
    rows = list(generation_rows(BLIND, result))
    assert [row["turn"] for row in rows] == [None, 1]
    assert {row["subject_id"] for row in rows} == {"chain_1"}
    assert len({row["generation_id"] for row in rows}) == 2
    assert {row["role"] for row in rows} == {"blind"}


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.REFUSED, Failure.TEACHER_REFUSED), (Outcome.ERROR, Failure.TEACHER_ERROR)],
)
def test_review_whose_call_failed_is_not_sent_back(
    make_case: Callable[..., ReviewCase], review: Any, outcome: Outcome, code: Failure
):
    result, model = review(BLIND, make_case(), outcome)
    assert len(model.requests) == 1
    assert [row["code"] for row in failure_rows(BLIND, result)] == [code]


def test_structured_review_tells_the_form_and_keeps_further_parameters(
    make_case: Callable[..., ReviewCase], review: Any
):
    params = RewriteParams(structured=True, extra={"seed": 3}, prompt="Reword. {{facts}}")
    _, model = review(Reviewing(Review.REWRITE, params), make_case(), '{"reasoning": ["a"]}')
    asked = model.requests[0]
    schema = asked.parameters["response_format"]["json_schema"]["schema"]
    assert (schema["required"], asked.parameters["seed"]) == (["reasoning", "answer"], 3)
    assert str(asked.content[0]).startswith("Reword. Question:")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (JudgeParams, {"draws": 3}), (JudgeParams, {"draws": 0}), (RewriteParams, {"repair": 2}),
        (NeedsImageParams, {"prompt": "no facts"}), (NeedsImageParams, {"max_tokens": 0}),
    ],
)  # fmt: skip
def test_review_parameters_that_cannot_be_asked_are_refused(
    kind: type[ReviewParams], wrong: dict[str, Any]
):
    with pytest.raises(RecipeError, match=f"{kind.__name__}: {next(iter(wrong))}|temperature"):
        kind(**wrong)
