import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.schemas import DUPLICATES
from tasks.dedup.semantic.clusters import cluster_labels, normalised
from tasks.dedup.semantic.params import SemanticParams
from tasks.dedup.semantic.report import semantic_report

PARAMS = SemanticParams(threshold=0.95, clusters=8)


def made(groups: int, copies: int, seed: int = 1) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return directions far apart, each in `copies` versions with cosines near 1."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, 32))
    rows = np.repeat(centres, copies, axis=0) + 0.02 * rng.normal(size=(groups * copies, 32))
    return [f"id{number:04d}" for number in range(len(rows))], rows


def pairs(table: pa.Table) -> dict[str, str]:
    rows = table.to_pylist()
    return {row["item_id"]: row["kept_id"] for row in rows if row["item_id"] != row["kept_id"]}


def test_report_names_first_of_every_group_and_drops_nothing():
    ids, embeddings = made(groups=40, copies=3)
    table = semantic_report(ids, embeddings, PARAMS)
    assert table.schema == DUPLICATES.payload
    assert set(table["decision"].to_pylist()) == {"report"}
    assert pairs(table) == {ids[i]: ids[i - i % 3] for i in range(120) if i % 3}


def test_report_every_similarity_is_exact_and_reaches_threshold():
    ids, embeddings = made(groups=40, copies=3)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    place = {item: row for row, item in enumerate(ids)}
    for row in semantic_report(ids, embeddings, PARAMS).to_pylist():
        cosine = unit[place[row["item_id"]]] @ unit[place[row["kept_id"]]]
        assert row["similarity"] == pytest.approx(cosine, abs=1e-5)
        assert row["similarity"] >= 0.95


@given(st.integers(0, 2**32 - 1))
def test_report_order_of_rows_changes_nothing(seed: int):
    ids, embeddings = made(groups=20, copies=2)
    shuffled = np.random.default_rng(seed).permutation(len(ids))
    again = semantic_report([ids[row] for row in shuffled], embeddings[shuffled], PARAMS)
    assert again.equals(semantic_report(ids, embeddings, PARAMS))


def test_report_priority_decides_who_is_kept():
    ids, embeddings = made(groups=1, copies=3)
    table = semantic_report(ids, embeddings, SemanticParams(), priority=[2, 1, 0])
    assert pairs(table) == {"id0000": "id0002", "id0001": "id0002"}


def test_report_chain_of_neighbours_is_not_one_cluster():
    angles = np.deg2rad([0, 15, 30])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    table = semantic_report(["a", "b", "c"], embeddings, SemanticParams(threshold=0.95))
    assert pairs(table) == {"b": "a"}


def test_report_equal_vectors_meet_in_any_number_of_clusters():
    ids, embeddings = made(groups=30, copies=1)
    twice = np.concatenate([embeddings, embeddings])
    names = [*ids, *(f"z{item}" for item in ids)]
    table = semantic_report(names, twice, SemanticParams(threshold=1.0, clusters=30))
    assert pairs(table) == {f"z{item}": item for item in ids}


def test_report_of_groups_compares_only_within_them():
    ids, embeddings = made(groups=1, copies=6)
    table = semantic_report(ids, embeddings, PARAMS, groups=[0, 1, 0, 1, 2, 0])
    assert pairs(table) == {ids[2]: ids[0], ids[3]: ids[1], ids[5]: ids[0]}


def test_report_cosine_of_a_pair_is_the_same_whatever_else_is_compared():
    ids, embeddings = made(groups=300, copies=2)
    few = semantic_report(ids[:4], embeddings[:4], PARAMS)
    many = {row["item_id"]: row for row in semantic_report(ids, embeddings, PARAMS).to_pylist()}
    assert [many[row["item_id"]] for row in few.to_pylist()] == few.to_pylist()


def test_report_zeros_are_like_nothing_and_no_rows_give_none():
    assert semantic_report(["a", "b"], np.zeros((2, 4)), PARAMS).num_rows == 0
    assert semantic_report([], np.zeros((0, 4)), PARAMS).num_rows == 0


@pytest.mark.parametrize(
    ("ids", "embeddings"),
    [
        (["a"], np.ones((2, 4))),
        (["a", "a"], np.ones((2, 4))),
        (["a", "b"], np.array([[1.0, np.nan], [1.0, 0.0]])),
        (["a", "b"], np.ones(2)),
    ],
)
def test_report_wrong_input_is_an_error(ids: list[str], embeddings: npt.NDArray[np.float64]):
    with pytest.raises(ValueError, match="expected"):
        semantic_report(ids, embeddings, PARAMS)


def test_clusters_are_those_of_the_seed_and_find_separate_groups():
    _, embeddings = made(groups=6, copies=50)
    vectors = normalised(embeddings)
    labels = cluster_labels(vectors, 12, iterations=20, seed=3)
    assert np.array_equal(labels, cluster_labels(vectors, 12, iterations=20, seed=3))
    groups = np.repeat(np.arange(6), 50)
    assert all(len(set(groups[labels == label])) == 1 for label in set(labels.tolist()))
