"""Which text of a sample or a chain is compared, and with which others it may be compared.

A question is compared only with questions that have the same answer and choices; a chain says its
reasoning of every round, then its answer, and is compared only with chains about the same question
that came to the same answer.  The picture joins this group when rows are settled, because images
that arrive later may change what is one picture.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sightline.ids import canonical_json, content_id
from tasks.dedup.keys import decoded, normalise

SAMPLE_TEXT_COLUMNS: Final = ("sample_id", "image_ids", "question", "choices", "answer", "boxes")
STEP_COLUMNS: Final = ("chain_id", "sample_id", "round", "position", "kind", "text")
QUESTION_COLUMNS: Final = ("sample_id", "image_ids", "question")

SAID: Final = ("reasoning", "answer")
"""Kinds of steps that a rationale consists of; descriptions repeat what the picture shows."""

TEXTS: Final = pa.schema(
    [
        ("item_id", pa.string()),
        ("text", pa.string()),
        ("group_key", pa.string()),
        ("image_ids", pa.list_(pa.string())),
    ]
)
"""One row per text; `text` may be null."""


def sample_texts(samples: pa.Table) -> pa.Table:
    """Return `TEXTS` of samples with a question and an image, in their order.

    Args:
        samples: `SAMPLE_TEXT_COLUMNS`.
    """
    n_images = pc.fill_null(pc.list_value_length(samples["image_ids"]), 0)
    asked = samples.filter(pc.and_(pc.greater(n_images, 0), pc.is_valid(samples["question"])))
    columns = ("answer", "choices", "boxes")
    groups = [_sample_group(row) for row in _as_bytes(asked.select(columns)).to_pylist()]
    return _texts(asked["sample_id"], asked["question"], groups, asked["image_ids"])


def chain_texts(steps: pa.Table, samples: pa.Table) -> pa.Table:
    """Return `TEXTS` of the chains in `steps`, by chain id.

    Args:
        steps: `STEP_COLUMNS` of whole chains, in any order.
        samples: `QUESTION_COLUMNS`, of the chains' samples at least; chains of others are left out.
    """
    said = steps.filter(
        pc.and_(pc.is_in(steps["kind"], pa.array(SAID)), pc.is_valid(steps["text"]))
    )
    order = ["chain_id", "round", "position"]
    said = said.sort_by([(name, "ascending") for name in order]).combine_chunks()
    firsts = _firsts(said["chain_id"])
    texts = _joined(said["text"], firsts)
    heads = said.select(["chain_id", "sample_id"]).take(pa.array(firsts))
    answers = _last_answers(said)
    place = {name: row for row, name in enumerate(samples["sample_id"].to_pylist())}
    rows = [place.get(name, -1) for name in heads["sample_id"].to_pylist()]
    is_known = pa.array([row >= 0 for row in rows], pa.bool_())
    heads, texts = heads.filter(is_known), texts.filter(is_known)
    about = samples.take(pa.array([row for row in rows if row >= 0], pa.int64()))
    questions = _as_bytes(about.select(["question"]))["question"].to_pylist()
    chains = heads["chain_id"].to_pylist()
    groups = [
        content_id("group", _said(question), _said(answers.get(chain)))
        for chain, question in zip(chains, questions, strict=True)
    ]
    return _texts(heads["chain_id"], texts, groups, about["image_ids"])


def _texts(ids: Any, texts: Any, groups: list[str], image_ids: Any) -> pa.Table:
    columns = [ids, texts, pa.array(groups, pa.string()), image_ids]
    return pa.table(columns, names=TEXTS.names).cast(TEXTS)


def _sample_group(row: dict[str, Any]) -> str:
    answer = _said(row["answer"])
    choices = None if row["choices"] is None else [_said(choice) for choice in row["choices"]]
    boxes = row["boxes"] if answer is None else None
    return content_id("group", answer, canonical_json([choices, boxes]))


def _said(raw: bytes | None) -> str | None:
    return None if raw is None else normalise(decoded(raw))


def _as_bytes(table: pa.Table) -> pa.Table:
    """Return text columns as bytes: stored text may be no UTF-8."""
    fields = []
    for column in table.schema:
        kind = column.type
        if pa.types.is_string(kind):
            kind = pa.large_binary()
        elif pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
            kind = pa.list_(pa.large_binary())
        fields.append(pa.field(column.name, kind))
    return table.cast(pa.schema(fields))


def _firsts(ordered: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return the first row of every run of equal values."""
    values = ordered.combine_chunks()
    if len(values) == 0:
        return np.empty(0, np.int64)
    is_new = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.flatnonzero(is_new) + 1]).astype(np.int64)


def _joined(texts: pa.ChunkedArray, firsts: npt.NDArray[np.int64]) -> pa.Array:
    """Return the texts of every run, one line each."""
    flat = pa.concat_arrays(
        [pa.array([], pa.large_string()), *texts.cast(pa.large_string()).chunks]
    )
    ends = pa.array([*firsts.tolist(), len(flat)], pa.int64())
    runs = pa.LargeListArray.from_arrays(ends, flat)
    return pc.binary_join(runs, pa.scalar("\n", pa.large_string()))


def _last_answers(said: pa.Table) -> dict[str, bytes]:
    """Return the last answer of every chain that has one."""
    answers = said.filter(pc.equal(said["kind"], "answer")).select(["chain_id", "text"])
    chains = answers["chain_id"].to_pylist()
    return dict(zip(chains, _as_bytes(answers.select(["text"]))["text"].to_pylist(), strict=True))
