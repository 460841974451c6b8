"""Salts agree exactly where picture, group and guard agree, whatever else is in the table."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sightline.schemas import TEXT_KEYS
from tasks.dedup.salts import SALT_COLUMNS, salts

SCHEMA = pa.schema([TEXT_KEYS.payload.field(name) for name in SALT_COLUMNS])
STANDS = {"b": "a"}
row = st.fixed_dictionaries(
    {
        "group_key": st.sampled_from(["", "g", "h", "\ud7ff"]),
        "image_ids": st.none() | st.lists(st.sampled_from("abc"), max_size=3),
        "guard_key": st.sampled_from([0, 1, -1]),
    }
)


def of(rows: list[dict[str, Any]]) -> list[int]:
    found: list[int] = salts(pa.Table.from_pylist(rows, SCHEMA), STANDS).tolist()
    return found


def meaning(one: dict[str, Any]) -> Any:
    return [STANDS.get(i, i) for i in one["image_ids"] or ()], one["group_key"], one["guard_key"]


@given(st.lists(row, max_size=12))
def test_salts_are_equal_exactly_where_their_meaning_is(rows: list[dict[str, Any]]):
    for one, salt in zip(rows, of(rows), strict=True):
        assert [salt == other for other in of(rows)] == [
            meaning(one) == meaning(other) for other in rows
        ]


@given(st.lists(row, min_size=1, max_size=8), st.integers(0, 7))
def test_salt_depends_on_its_own_row_alone(rows: list[dict[str, Any]], cut: int):
    table = pa.Table.from_pylist(rows, SCHEMA)
    chunked = pa.concat_tables([table[:cut], table[cut:]])
    assert salts(chunked, STANDS).tolist() == [of([one])[0] for one in rows]


def test_salt_is_the_same_in_every_process():
    one = {"group_key": "how many?", "image_ids": ["a", "c"], "guard_key": -7}
    assert of([one]) == [4460561764382808696], "a stored state holds such keys: raise its VERSION"
