"""Whatever JSON a row holds, it ends as a sample or as a failure, and nothing is raised."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tasks.ingest.ingested import Picture, ingest

NAMES = [
    "a.png",
    "none.png",
    "../x.png",
    "a.png###[1, 2, 3, 4]",
    "data:;base64,AAAA",
    "[1, 2, 3, 4]",
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NAMES),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["bytes", "path", "value", "from"]), inner, max_size=2)
    ),
    max_leaves=8,
)
boxes = st.lists(
    st.lists(st.integers(-9, 50) | st.floats(-9, 50), min_size=4, max_size=4), max_size=2
)
flat = st.fixed_dictionaries(
    {
        "question": st.just("?") | values,
        "answer": values,
        "image": st.just("a.png") | values,
        "bboxs": boxes | values,
        "width": st.just(40) | values,
        "height": st.just(30) | values,
    },
    optional={"dataset": values, "split": values},
)
talks = st.fixed_dictionaries(
    {
        "image": st.just(["a.png", "a.png###[4, 3, 20, 15]"]) | values,
        "conversations": st.lists(st.fixed_dictionaries({"value": values}), min_size=4, max_size=4)
        | values,
    }
)
COLUMNS = {"question": "question", "answer": "answer", "image": "image", "boxes": "bboxs",
           "width": "width", "height": "height", "choices": "answer"}  # fmt: skip
slow_fixture = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    (tmp_path / "a.png").write_bytes(picture(1))
    return tmp_path


def options(folder: Path, rows: list[Any], *, shipped: bool) -> dict[str, Any]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"path": str(path)} | ({"images": str(folder)} if shipped else {})


def require_accounted(found: Any) -> None:
    planned = {row.row_key for plan in found.plans for row in plan.rows}
    ended = set(found.samples["row_key"].to_pylist()) | set(found.failures["item_id"].to_pylist())
    assert ended == planned


@slow_fixture
@given(st.lists(flat | talks | values, max_size=5), st.booleans())
def test_visual_cot_any_row_is_accounted_for(folder: Path, rows: list[Any], shipped: bool):  # noqa: FBT001
    require_accounted(ingest("visual_cot", options(folder, rows, shipped=shipped)))


@slow_fixture
@given(
    st.lists(flat | values, max_size=5),
    st.booleans(),
    st.sampled_from(["px", "unit", "unit_1000", "padded_square"]),
)
def test_table_any_row_is_accounted_for(
    folder: Path,
    rows: list[Any],
    shipped: bool,  # noqa: FBT001
    convention: str,
):
    more = {"columns": COLUMNS, "box_convention": convention}
    require_accounted(ingest("table", options(folder, rows, shipped=shipped) | more))
