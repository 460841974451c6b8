"""Ids depend on content only, and different content gives different ids."""

import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.ids import canonical_json, content_id, image_id, missing_image_ref, sample_id

texts = st.text(max_size=20)
parts = st.lists(st.none() | texts, max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(parts, parts)
def test_content_id_is_equal_only_for_equal_parts(a: list[str | None], b: list[str | None]) -> None:
    assert (content_id("k", *a) == content_id("k", *b)) == (a == b)


def test_content_id_separates_parts_and_nulls() -> None:
    assert content_id("k", "ab", "c") != content_id("k", "a", "bc")
    assert content_id("k", None) != content_id("k", "")
    assert content_id("k", None) != content_id("k", "ÿ")
    assert content_id("k") != content_id("k", "")


def test_content_id_names_its_kind_and_has_128_bits() -> None:
    kind, _, digits = content_id("run", "x").partition("_")
    assert (kind, len(digits)) == ("run", 32)


def test_content_id_takes_lone_surrogates() -> None:
    assert content_id("k", "\ud800") != content_id("k", "\ud801")


def test_ids_are_the_same_in_another_process() -> None:
    call = "sample_id('d', 'q', 'a', ['i'], boxes=[[1, 2]])"
    code = f"from sightline.ids import sample_id; print({call})"
    found = subprocess.check_output(
        [sys.executable, "-c", code], text=True, env={"PYTHONHASHSEED": "7"}
    )
    assert found.strip() == sample_id("d", "q", "a", ["i"], boxes=[[1, 2]])


@given(st.binary(max_size=100))
def test_image_id_is_the_sha256_of_the_bytes(data: bytes) -> None:
    assert image_id(data) == hashlib.sha256(data).hexdigest()


@given(st.dictionaries(texts, json_values, max_size=4))
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_canonical_json_refuses_numbers_without_a_form(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1, 2}, len, object(), b"x"])
def test_canonical_json_refuses_values_without_a_form(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


BASE = {"dataset": "d", "question": "q", "answer": "a", "images": ["i"]}


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "e"},
        {"question": "r"},
        {"question": None},
        {"answer": None},
        {"images": ["j"]},
        {"images": ["i", "i"]},
        {"images": []},
        {"choices": ["x", "y"]},
        {"choices": ["y", "x"]},
        {"boxes": [[0, 0, 1, 1]]},
    ],
)
def test_sample_id_changes_with_what_tells_samples_apart(
    change: dict[str, object],
) -> None:
    assert sample_id(**(BASE | change)) != sample_id(**BASE)  # type: ignore[arg-type]


def test_sample_id_takes_tuples_as_lists() -> None:
    assert sample_id("d", "q", "a", ("i",)) == sample_id("d", "q", "a", ["i"])


def test_missing_image_ref_tells_absent_images_apart() -> None:
    refs = {
        missing_image_ref("a.jpg", 10, 20),
        missing_image_ref("b.jpg", 10, 20),
        missing_image_ref("a.jpg", 20, 10),
        missing_image_ref("a.jpg", 102, 0),
    }
    assert len(refs) == 4
