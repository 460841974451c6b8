"""Files and batches as the openai SDK sees them, and a server that goes on where it was killed."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import Batch

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import read_log
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from tests.infra.teachers import MODEL, PROMPT, server_that

ENDED = {"completed", "failed", "expired", "cancelled"}


@pytest.fixture(scope="module")
def plain() -> Iterator[openai.OpenAI]:
    with server_that() as server:
        yield client_of(server)


def client_of(server: EmbeddedTeacher) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0)


def body_of(number: int, **fields: object) -> dict[str, Any]:
    text = f"Row {number}\n{PROMPT.format(task='final')}"
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]} | fields


def line_of(number: int, **changes: object) -> dict[str, Any]:
    return {
        "custom_id": f"key{number}/0",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body_of(number),
    } | changes


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def submit(client: openai.OpenAI, data: bytes, **metadata: str) -> Batch:
    file = client.files.create(file=("input.jsonl", data), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata=metadata,
    )


def ended(client: openai.OpenAI, batch: Batch) -> Batch:
    deadline = time.monotonic() + 20
    while batch.status not in ENDED:
        assert time.monotonic() < deadline, batch
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    return batch


def results(client: openai.OpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    assert file_id is not None
    lines = client.files.content(file_id).text.splitlines()
    return {entry["custom_id"]: entry for entry in map(json.loads, lines)}


def test_file_keeps_its_bytes_until_it_is_deleted(plain: openai.OpenAI):
    data = bytes(range(256)) * 300 + b"\r\n--"
    file = plain.files.create(file=("odd name.bin", data), purpose="batch")
    assert (file.bytes, file.filename, file.purpose) == (len(data), "odd name.bin", "batch")
    assert plain.files.retrieve(file.id) == file
    assert plain.files.content(file.id).content == data
    assert file.id in {listed.id for listed in plain.files.list()}
    assert plain.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        plain.files.content(file.id)


def test_batch_answers_as_the_live_endpoint_does(plain: openai.OpenAI):
    batch = ended(plain, submit(plain, jsonl([line_of(n) for n in range(5)]), sightline="b1"))
    assert batch.status == "completed"
    assert batch.metadata == {"sightline": "b1"}
    assert batch.error_file_id is None
    assert batch.completed_at is not None
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": 5, "completed": 5, "failed": 0}
    found = results(plain, batch.output_file_id)
    live = plain.chat.completions.create(**body_of(3), extra_headers={"X-Sightline-Call": "key3/0"})
    said = found["key3/0"]["response"]["body"]["choices"]
    assert said[0]["message"]["content"] == live.choices[0].message.content
    assert found["key3/0"]["response"]["status_code"] == 200


def test_batches_are_listed_newest_first_in_pages(plain: openai.OpenAI):
    made = [submit(plain, jsonl([line_of(n)])).id for n in range(5)]
    page = plain.batches.list(limit=2)
    assert [batch.id for batch in page.data] == made[:2:-1]
    assert page.has_more
    assert [b.id for b in plain.batches.list(limit=2, after=made[3]).data] == [made[2], made[1]]
    assert [b.id for b in plain.batches.list(limit=2)][:5] == made[::-1]


def test_request_that_is_refused_lands_in_the_error_file(plain: openai.OpenAI):
    bad = line_of(1, body=body_of(1, messages=[]))
    batch = ended(plain, submit(plain, jsonl([line_of(0), bad])))
    assert batch.status == "completed"
    error = results(plain, batch.error_file_id)["key1/0"]
    assert error["response"]["status_code"] == 400
    assert set(results(plain, batch.output_file_id)) == {"key0/0"}


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty_file", None),
        (jsonl([line_of(0)]) + b"{\n", "invalid_json_line", 2),
        (jsonl([line_of(0), line_of(0)]), "duplicate_custom_id", 2),
        (jsonl([line_of(0, url="/v1/embeddings")]), "invalid_url", 1),
        (jsonl([line_of(0, method="GET")]), "invalid_method", 1),
        (jsonl([{"custom_id": "a"}]), "missing_required_parameter", 1),
        (jsonl([line_of(0), line_of(1, body=body_of(1, model="b"))]), "mismatched_model", 2),
    ],
)
def test_input_that_cannot_be_used_fails_the_batch(
    plain: openai.OpenAI, data: bytes, code: str, line: int | None
):
    batch = ended(plain, submit(plain, data))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, line)
    assert batch.output_file_id is None


@pytest.mark.parametrize(
    "trouble", [{"batch_fail_validation": True}, {"batch_max_requests": 1}, {"batch_max_bytes": 50}]
)
def test_batch_that_the_server_does_not_take_fails(trouble: dict[str, Any]):
    with server_that(**trouble) as server:
        client = client_of(server)
        assert ended(client, submit(client, jsonl([line_of(0), line_of(1)]))).status == "failed"


def test_what_cannot_be_a_batch_is_refused_at_once(plain: openai.OpenAI):
    with pytest.raises(openai.NotFoundError):
        plain.batches.create(
            input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h"
        )
    with pytest.raises(openai.BadRequestError):
        plain.files.create(file=("a", b"a"), purpose="fine-tune")
    with pytest.raises(openai.NotFoundError):
        plain.batches.retrieve("batch_none")
    done = ended(plain, submit(plain, jsonl([line_of(0)])))
    with pytest.raises(openai.ConflictError):
        plain.batches.cancel(done.id)


def test_shares_of_a_batch_expire_and_fail_and_the_rest_is_kept(tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log, batch_expire_share=0.3, batch_error_share=0.3) as server:
        client = client_of(server)
        batch = ended(client, submit(client, jsonl([line_of(n) for n in range(60)])))
        assert batch.status == "expired"
        good = results(client, batch.output_file_id)
        bad = results(client, batch.error_file_id)
    assert len(good) + len(bad) == 60
    codes = Counter(entry["error"]["code"] if entry["error"] else 500 for entry in bad.values())
    assert set(codes) == {"batch_expired", 500}
    paid = [event for event in read_log(log) if event.event == "answered" and event.status == 200]
    assert sorted(event.call for event in paid) == sorted(good)
    assert {event.channel for event in paid} == {"batch"}


def test_cancelled_batch_keeps_what_was_answered():
    with server_that(batch_seconds=30.0) as server:
        client = client_of(server)
        batch = submit(client, jsonl([line_of(n) for n in range(3)]))
        assert client.batches.retrieve(batch.id).status == "validating"
        assert client.batches.cancel(batch.id).status == "cancelling"
        assert ended(client, batch).status == "cancelled"


def test_restarted_server_goes_on_and_answers_nothing_twice(tmp_path: Path):
    log, count = tmp_path / "log", 40
    config = ServerConfig(
        misbehaviour=Misbehaviour(batch_seconds=1.5), log=log, state=tmp_path / "state"
    )
    with EmbeddedTeacher(config) as server:
        client = client_of(server)
        batch = submit(client, jsonl([line_of(n) for n in range(count)]))
        while not (counts := client.batches.retrieve(batch.id).request_counts) or (
            counts.completed < 5
        ):
            time.sleep(0.02)
        server.kill()
    answered = sum(event.event == "answered" for event in read_log(log))
    assert 5 <= answered < count
    with EmbeddedTeacher(config) as server:
        client = client_of(server)
        batch = ended(client, batch)
        assert batch.status == "completed"
        assert len(results(client, batch.output_file_id)) == count
    calls = Counter(event.call for event in read_log(log) if event.event == "answered")
    assert len(calls) >= count - 1
    assert set(calls.values()) == {1}
