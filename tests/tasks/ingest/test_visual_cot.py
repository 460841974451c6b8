import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.ingest.ingested import Picture, ingest

FLAT = {"question": "Which?", "answer": "Yes", "image": "a.png", "width": 40, "height": 30,
        "bboxs": [[4, 3, 20, 15]], "dataset": "cub", "split": "train"}  # fmt: skip
ASK = (
    " Please provide the bounding box coordinate of the region that can help you answer the "
    "question better."
)


def conversation(**changes: Any):
    """The same row as FLAT: 40 x 30, so the padded square has side 40 and 5 px above."""
    square = changes.pop("square", "[0.100, 0.200, 0.500, 0.500]")
    box = changes.pop("box", "[4, 3, 20, 15]")
    turns = ["<image>\nWhich?" + ASK, square, "<image>", "Yes"]
    return {
        "dataset": "cub",
        "split": "val",
        "question_id": 7,
        "image": ["a.png", f"a.png###{box}"],
        "conversations": [{"from": "x", "value": value} for value in turns],
    } | changes


Write = Callable[..., dict[str, Any]]


@pytest.fixture
def options(tmp_path: Path, picture: Picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(picture(1))

    def write(*rows: object, images: bool = True, **more: Any) -> dict[str, Any]:
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(rows))
        return {"path": str(path)} | ({"images": str(tmp_path / "images")} if images else {}) | more

    return write


def test_visual_cot_both_forms_state_the_same_sample(options: Write):
    flat, talk = (
        ingest("visual_cot", options(row)).samples.drop(["row_key", "source_key", "split"])
        for row in (FLAT, conversation())
    )
    assert flat.equals(talk)
    row = flat.to_pylist()[0]
    assert (row["question"], row["answer"], row["boxes"]) == ("Which?", "Yes", [[4, 3, 20, 15]])
    assert (row["dataset"], row["domain"], row["answer_kind"]) == ("cub", "fine_grained", "yes_no")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (conversation(square="[0.100, 0.100, 0.500, 0.500]"), "box_convention"),
        (conversation(square="[0.1, 0.2]"), "box_malformed"),
        (conversation(square="the whole image"), "box_malformed"),
        (conversation(box="[4, 3, nan, 15]"), "box_malformed"),
        (conversation(image=["a.png"]), "row_malformed"),
        (conversation(image=["a.png", "b.png###[4, 3, 20, 15]"]), "row_malformed"),
        (conversation(conversations=[]), "row_malformed"),
        (conversation(conversations=[{"value": 1}] * 4), "row_malformed"),
        (FLAT | {"image": "none.png"}, "image_missing"),
        (FLAT | {"image": "../rows.json"}, "path_outside_source"),
        (FLAT | {"image": None}, "row_malformed"),
        (FLAT | {"width": "40"}, "row_malformed"),
        ({k: v for k, v in FLAT.items() if k != "bboxs"}, "row_malformed"),
        ("text", "row_malformed"),
    ],
)
def test_visual_cot_bad_row_is_a_typed_failure(options: Write, row: object, code: str):
    found = ingest("visual_cot", options(row, FLAT))
    assert (found.codes, found.samples.num_rows) == ({code: 1}, 1)


def test_visual_cot_conversation_without_images_says_what_to_do(options: Write):
    wrong = conversation(square="[0.1, 0.2, 0.9, 0.3]", question_id=8)
    found = ingest("visual_cot", options(conversation(), wrong, images=False))
    assert found.codes == {"image_missing": 1, "box_convention": 1}
    assert "name the image folder" in " ".join(found.failures["detail"].to_pylist())


def test_visual_cot_dataset_and_limit_choose_rows(options: Write):
    rows = [FLAT | {"question": str(n), "dataset": d} for n in range(4) for d in ("cub", "gqa")]
    found = ingest("visual_cot", options(*rows, dataset="gqa", limit=3))
    assert found.samples["question"].to_pylist() == ["0", "1", "2"]
    assert set(found.samples["dataset"].to_pylist()) == {"gqa"}


def test_visual_cot_stated_form_refuses_the_other(options: Write):
    assert ingest("visual_cot", options(FLAT, form="conversations")).codes == {"row_malformed": 1}
    assert ingest("visual_cot", options(conversation(), form="flat")).codes == {"row_malformed": 1}
