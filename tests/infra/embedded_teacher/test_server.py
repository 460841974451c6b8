"""The server as its clients see it: protocol, determinism, log, start and stop."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import read_log
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from sightline.errors import TeacherError, UsageError
from tests.infra.teachers import MODEL, PROMPT, server_that


@pytest.fixture(scope="module")
def plain() -> Iterator[EmbeddedTeacher]:
    with server_that() as server:
        yield server


def call(server: EmbeddedTeacher, method: str, path: str, body: object = None) -> tuple[int, Any]:
    address = urlsplit(server.base_url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, None if body is None else data)
    response = connection.getresponse()
    status, text = response.status, response.read()
    connection.close()
    return status, json.loads(text)


def chat(server: EmbeddedTeacher, **fields: object) -> tuple[int, Any]:
    text = PROMPT.format(task="final")
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}]} | fields
    return call(server, "POST", "/v1/chat/completions", body)


def test_completion_has_the_shape_clients_expect(plain: EmbeddedTeacher):
    status, reply = chat(plain)
    assert status == 200
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["finish_reason"] == "stop"
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_same_request_has_the_same_answer_byte_for_byte(plain: EmbeddedTeacher):
    assert chat(plain) == chat(plain)
    with server_that() as other:
        assert chat(plain) == chat(other)


def test_seed_and_choices_vary_the_wording_at_a_temperature_only(plain: EmbeddedTeacher):
    def texts(**fields: object) -> set[str]:
        return {c["message"]["content"] for c in chat(plain, **fields)[1]["choices"]}

    assert len(texts(n=12)) > 1
    seeded = [texts(seed=seed, temperature=1.0) for seed in range(12)]
    assert len(set.union(*seeded)) > 1
    cold = [texts(seed=seed, temperature=0) for seed in range(12)]
    assert len(set.union(*cold)) == 1


def test_models_health_and_stats_are_served(plain: EmbeddedTeacher):
    assert call(plain, "GET", "/v1/models")[1]["data"][0]["id"] == MODEL
    assert call(plain, "GET", "/health") == (200, {"status": "ok"})
    assert call(plain, "GET", "/stats")[1]["in_flight"] == 0
    assert call(plain, "GET", "/nowhere")[0] == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        ([], 400),
        ({"model": MODEL, "messages": []}, 400),
        ({"model": MODEL, "messages": [7]}, 200),
        ({"model": "other", "messages": [{"role": "user", "content": "x"}]}, 404),
        (
            {
                "model": MODEL,
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "http://h/a.png"}}],
                    }
                ],
            },
            400,
        ),
    ],
)
def test_what_no_endpoint_accepts_is_refused(plain: EmbeddedTeacher, body: object, status: int):
    assert call(plain, "POST", "/v1/chat/completions", body)[0] == status


def test_log_tells_received_from_answered(tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log) as server:
        chat(server)
    with (
        server_that(log, disconnect_before_share=1.0) as server,
        pytest.raises(OSError, match=r".*"),
    ):
        chat(server)
    events = [(event.event, event.status, event.finish_reason) for event in read_log(log)]
    assert events == [
        ("received", None, None),
        ("answered", 200, "stop"),
        ("received", None, None),
        ("lost", None, "stop"),
    ]
    assert len({event.body_sha256 for event in read_log(log)}) == 1


def test_latency_is_log_normal_around_its_median():
    trouble = Misbehaviour(latency_ms=100, latency_sigma=0.5)
    drawn = sorted(trouble.latency_s(str(n)) for n in range(2001))
    assert drawn[1000] == pytest.approx(0.1, rel=0.05)
    assert drawn[1683] == pytest.approx(0.1 * 2.71828**0.5, rel=0.08)


def test_shares_are_honoured():
    trouble = Misbehaviour(refusal_share=0.2)
    assert sum(trouble.happens("refusal_share", str(n)) for n in range(5000)) == pytest.approx(
        1000, abs=100
    )


@pytest.mark.parametrize("values", [{"refusal_share": 2}, {"latency_ms": -1}, {"rudeness": 1}])
def test_misbehaviour_that_means_nothing_is_refused(values: dict[str, Any]):
    with pytest.raises(UsageError):
        Misbehaviour.from_mapping(values)


def test_stop_takes_less_than_two_seconds_with_a_request_open():
    server = EmbeddedTeacher(ServerConfig(misbehaviour=Misbehaviour(latency_ms=60_000)))
    server.start()
    address = urlsplit(server.base_url)
    connection = HTTPConnection(address.hostname or "", address.port)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    time.sleep(0.2)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 2.0
    connection.close()


def test_server_ends_when_its_parent_is_killed():
    code = """
        import sys, time
        from infra.embedded_teacher.server import EmbeddedTeacher
        server = EmbeddedTeacher()
        server.start()
        print(server._child.pid, flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_port_in_use_is_an_error(plain: EmbeddedTeacher):
    port = urlsplit(plain.base_url).port or 0
    with pytest.raises(TeacherError, match="did not start"):
        EmbeddedTeacher(ServerConfig(port=port)).start()


def test_further_models_behave_in_their_own_way():
    others = {"b": Misbehaviour(thinking="field"), "c": Misbehaviour(server_error_share=1.0)}
    with EmbeddedTeacher(ServerConfig(others=others)) as server:
        listed = call(server, "GET", "/v1/models")[1]["data"]
        assert [model["id"] for model in listed] == [MODEL, "b", "c"]
        assert chat(server, model="c")[0] == 500
        assert chat(server, model=f"{MODEL}-x")[1]["model"] == f"{MODEL}-x"
        assert "reasoning_content" in chat(server, model="b")[1]["choices"][0]["message"]
        assert "reasoning_content" not in chat(server)[1]["choices"][0]["message"]


def test_key_is_asked_for_on_every_path_of_the_api():
    with EmbeddedTeacher(ServerConfig(api_key="secret")) as server:
        assert chat(server)[0] == 401
        assert call(server, "GET", "/v1/batches")[0] == 401
        assert call(server, "GET", "/v1/files")[0] == 401
        assert call(server, "GET", "/v1/models")[0] == 401


def test_rates_are_told_over_http():
    with server_that(requests_per_minute=1) as server:
        assert chat(server)[0] == 200
        status, refused = chat(server)
    assert (status, refused["error"]["code"]) == (429, "rate_limit_exceeded")
