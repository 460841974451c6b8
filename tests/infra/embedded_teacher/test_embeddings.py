"""Embeddings of the embedded teacher: deterministic, near for reworded texts, refused cleanly."""

from collections.abc import Iterator

import numpy as np
import pytest

from infra.embedded_teacher.embeddings import DIMENSIONS
from infra.embedded_teacher.server import EmbeddedTeacher
from tests.infra.embedded_teacher.test_server import call
from tests.infra.teachers import MODEL, server_that

PATH = "/v1/embeddings"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedTeacher]:
    with server_that() as found:
        yield found


def vectors(server: EmbeddedTeacher, *texts: str, **fields: object) -> np.ndarray:
    body = {"model": MODEL, "input": list(texts)} | fields
    status, answer = call(server, "POST", PATH, body)
    assert status == 200
    assert [row["index"] for row in answer["data"]] == list(range(len(texts)))
    return np.asarray([row["embedding"] for row in answer["data"]])


def test_vectors_have_length_one_and_are_the_same_every_time(server: EmbeddedTeacher):
    found = vectors(server, "What is left of the red cup?", "!?")
    assert found.shape == (2, DIMENSIONS)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(2), abs=1e-4)
    assert np.array_equal(found, vectors(server, "What is left of the red cup?", "!?"))


def test_reworded_text_is_nearer_than_another_one(server: EmbeddedTeacher):
    one, reworded, other = vectors(
        server, "How many red cups are there?", "How many red cups are here?", "Where is the dog?"
    )
    assert one @ reworded > 0.7 > one @ other


def test_shorter_vectors_and_other_models_are_others(server: EmbeddedTeacher):
    assert vectors(server, "a red cup", dimensions=8).shape == (1, 8)
    other = vectors(server, "a red cup", model=f"{MODEL}-b")
    assert not np.array_equal(other, vectors(server, "a red cup"))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"input": ""}, 400),
        ({"input": []}, 400),
        ({"input": [1]}, 400),
        ({"dimensions": 0}, 400),
        ({"encoding_format": "base64"}, 400),
        ({"model": "other"}, 404),
    ],
)
def test_what_is_no_request_is_refused(
    server: EmbeddedTeacher, fields: dict[str, object], status: int
):
    body = {"model": MODEL, "input": "text"} | fields
    assert call(server, "POST", PATH, body)[0] == status


def test_errors_on_purpose_concern_embeddings_too():
    with server_that(server_error_share=1.0) as broken:
        assert call(broken, "POST", PATH, {"model": MODEL, "input": "text"})[0] == 500
