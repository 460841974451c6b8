import pytest

from sightline.errors import Failure
from tasks.ingest import fields
from tasks.ingest.source import RowRefusedError


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7 m", "7 m"), (7, "7"), (2.5, "2.5"), (True, "true"), ("", None), (None, None),
     (float("nan"), None)],
)  # fmt: skip
def test_text_scalar_is_written_as_json_writes_it(value: object, expected: str | None):
    assert fields.text(value, "answer") == expected


@pytest.mark.parametrize("value", [["a"], {"a": 1}, "\ud800", b"a"])
def test_text_other_types_and_lone_surrogates_refuse_the_row(value: object):
    with pytest.raises(RowRefusedError) as caught:
        fields.text(value, "answer")
    assert caught.value.problem.code == Failure.ROW_MALFORMED


@pytest.mark.parametrize(
    "value",
    [[[1, 2, 3]], [[1, 2, 3, float("nan")]], [[1, 2, 3, "4"]], [[1, 2, 3, True]], "1 2 3 4",
     [[1, 2, 3, float("inf")]], [[1, 2, 3, 10**400]], [None], {"x0": 1}, [1, 2, 3]],
)  # fmt: skip
def test_boxes_anything_but_four_finite_numbers_is_malformed(value: object):
    with pytest.raises(RowRefusedError) as caught:
        fields.boxes(value, "bboxs")
    assert caught.value.problem.code == Failure.BOX_MALFORMED


@pytest.mark.parametrize("value", [[[1, 2, 3, 4]], [1, 2, 3, 4], [[1.0, 2.0, 3.0, 4.0]]])
def test_boxes_one_box_flat_or_nested_is_the_same(value: object):
    assert fields.boxes(value, "bboxs") == ((1.0, 2.0, 3.0, 4.0),)


@pytest.mark.parametrize("side", [0, -1, 1.5, "640", True, 10**7, float("nan"), float("inf")])
def test_size_impossible_side_refuses_the_row(side: object):
    with pytest.raises(RowRefusedError):
        fields.size(side, 480)
