"""Embeddings over real HTTP: paid once, kept, refused cleanly."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from infra.ledger.ledger import Ledger
from infra.teacher.client import Teacher
from infra.teacher.embedding import embedding_request, vector_of
from infra.telemetry import NullProgress
from sightline.errors import BudgetError, Failure
from sightline.outcomes import Outcome
from sightline.schemas import EMBEDDINGS, LEDGER
from tasks.asking.live import AskingWork, Purchase
from tasks.asking.places import Places
from tasks.dedup.semantic.live import AskedItem, asked_rows, bought_embeddings
from tasks.dedup.semantic.params import Encoder
from tasks.dedup.semantic.rows import Item
from tests.infra.teachers import MODEL, teacher_at

ENCODER = Encoder(MODEL, None, {})
TEXTS = ["a red cup", "two dogs", "what is left of the lamp?"]


def vector(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:4]]


def bought(teacher: Teacher, ledger: Ledger, items: list[Item]) -> tuple[Purchase, list[AskedItem]]:
    purchase = Purchase(
        "embeddings", AskingWork(lambda: teacher, ledger, Places(4)), NullProgress()
    )
    groups = bought_embeddings(purchase, items, ENCODER)
    return purchase, [asked for group in groups for asked in group]


@dataclass
class Endpoint:
    """A server of embeddings; `bodies` are answered instead, by text."""

    base_url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    paths: set[str] = field(default_factory=set)
    bodies: dict[str, tuple[int, str]] = field(default_factory=dict)

    def answer(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        text = body["input"]
        self.paths.add(path)
        self.asked[text] += 1
        if text in self.bodies:
            return self.bodies[text]
        data = [{"object": "embedding", "index": 0, "embedding": vector(text)}]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return 200, json.dumps({"model": body["model"], "data": data, "usage": usage})


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, text = found.answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield found
        server.shutdown()


def test_embedding_comes_back_exactly_and_its_call_is_in_the_ledger(
    endpoint: Endpoint, tmp_path: Path
):
    with teacher_at(endpoint.base_url, tmp_path, embeds=True) as (teacher, ledger):
        responses = [teacher.ask_sync(embedding_request(MODEL, text, "c")) for text in TEXTS]
        ledger.flush()
        rows = ledger.lake.read(LEDGER).to_pylist()
    assert [vector_of(response) for response in responses] == [vector(text) for text in TEXTS]
    assert endpoint.paths == {"/v1/embeddings"}
    assert [(row["tokens_in"], row["tokens_out"]) for row in rows] == [(3, 0)] * 3


def test_embedding_that_was_received_is_never_paid_again(endpoint: Endpoint, tmp_path: Path):
    for _ in range(2):
        with teacher_at(endpoint.base_url, tmp_path, embeds=True) as (teacher, _):
            for _ in range(2):
                found = [teacher.ask_sync(embedding_request(MODEL, t, "c")) for t in TEXTS]
                assert [vector_of(response) for response in found] == [vector(t) for t in TEXTS]
    assert endpoint.asked == dict.fromkeys(TEXTS, 1)


def test_other_dimensions_are_another_call_and_a_chat_is_none_of_them():
    plain, short = (embedding_request(MODEL, "a", "c", n) for n in (None, 2))
    assert len({plain.request_key, short.request_key}) == 2
    assert json.loads(plain.request_json)["parameters"] == {"encoding_format": "float"}


@pytest.mark.parametrize(
    "body",
    [
        '{"data": []}',
        '{"data": [{"embedding": "AACAPw=="}]}',
        '{"data": [{"embedding": [1, NaN]}]}',
        '{"data": [{"embedding": [1, true]}]}',
        "<html>",
    ],
)
def test_answer_without_numbers_is_an_error_of_its_row_alone(
    endpoint: Endpoint, tmp_path: Path, body: str
):
    endpoint.bodies["bad"] = (200, body)
    items = [Item("c1", "chain", "bad"), Item("c2", "chain", "good"), Item("c3", "chain", " ")]
    with teacher_at(endpoint.base_url, tmp_path, embeds=True) as (teacher, ledger):
        purchase, asked = bought(teacher, ledger, items)
        paid = {row["request_key"] for row in ledger.lake.read(LEDGER).to_pylist()}
    table = asked_rows(asked, ENCODER)
    assert table.schema == EMBEDDINGS.payload
    assert table["item_id"].to_pylist() == ["c2"]
    assert table["request_key"][0].as_py() in paid
    assert np.allclose(table["embedding"][0].as_py(), vector("good"))
    failed = [one.failure for one in asked if one.vector is None]
    assert [failure[:2] for failure in failed] == [("c1", Failure.TEACHER_ERROR)]
    assert purchase.spend.calls_reused == 0


def test_refused_text_is_a_failure_and_is_not_asked_again_and_again(
    endpoint: Endpoint, tmp_path: Path
):
    endpoint.bodies["long"] = (400, '{"error": {"message": "too many tokens"}}')
    with teacher_at(endpoint.base_url, tmp_path, embeds=True) as (teacher, _):
        response = teacher.ask_sync(embedding_request(MODEL, "long", "c"))
    assert (response.outcome, vector_of(response)) == (Outcome.ERROR, None)
    assert "too many tokens" in (response.detail or "")
    assert endpoint.asked["long"] == 1


def test_cap_on_calls_holds_and_what_was_bought_is_kept(endpoint: Endpoint, tmp_path: Path):
    items = [Item(f"c{n}", "chain", f"text {n}") for n in range(8)]
    with (
        teacher_at(endpoint.base_url, tmp_path, embeds=True, max_calls=3) as (teacher, ledger),
        pytest.raises(BudgetError, match="cap of 3 calls"),
    ):
        bought(teacher, ledger, items)
    with teacher_at(endpoint.base_url, tmp_path, embeds=True) as (teacher, ledger):
        purchase, asked = bought(teacher, ledger, items)
    assert len(asked_rows(asked, ENCODER)) == 8
    assert (purchase.spend.calls_made, purchase.spend.calls_reused) == (5, 3)
    assert endpoint.asked == dict.fromkeys([item.text for item in items], 1)
