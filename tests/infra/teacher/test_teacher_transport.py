"""The transport against servers that behave oddly: echoed keys, odd bodies, cut connections."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.teacher.address import printable_address
from infra.teacher.client import Endpoint, OpenAITransport
from infra.teacher.transport import HttpReply, NoReply
from sightline.errors import UsageError

SECRET = "sk-do-not-show-0123456789"  # noqa: S105 - made up
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server_answering(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            answer(self)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


def post(base_url: str, timeout_s: float = 5.0) -> HttpReply | NoReply:
    async def once() -> HttpReply | NoReply:
        transport = OpenAITransport(Endpoint("e", base_url, SECRET, None, 1, timeout_s=timeout_s))
        try:
            return await transport.post(b"{}", {"X-Sightline-Call": "k/0"})
        finally:
            await transport.close()

    return asyncio.run(once())


def reply_with(status: int, body: bytes, *, promised: int | None = None) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(promised or len(body)))
        handler.send_header("X-Odd", "Yes")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def echo(handler: BaseHTTPRequestHandler) -> None:
    body = f"bad key {handler.headers['authorization']} for {handler.headers['x-sightline-call']}"
    reply_with(400, body.encode())(handler)


def test_key_that_an_endpoint_echoes_is_struck_out():
    with server_answering(echo) as base_url:
        reply = post(base_url)
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (400, "bad key Bearer *** for k/0")


@pytest.mark.parametrize("status", [200, 418, 429, 503])
def test_every_status_comes_back_as_it_is(status: int):
    with server_answering(reply_with(status, b"<html>")) as base_url:
        reply = post(base_url)
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body, reply.headers["x-odd"]) == (status, "<html>", "Yes")


def test_answer_that_ends_early_is_a_disconnect_that_may_be_billed():
    with server_answering(reply_with(200, b"{", promised=100)) as base_url:
        assert post(base_url) == NoReply("disconnect", was_sent=True)


def test_answer_that_never_comes_is_a_timeout_that_may_be_billed():
    waiting = threading.Event()
    with server_answering(lambda _: waiting.wait(5) and None) as base_url:
        reply = post(base_url, timeout_s=0.2)
        waiting.set()
    assert reply == NoReply("timeout", was_sent=True)


def test_nobody_listening_is_never_billed():
    assert post("http://127.0.0.1:9/v1") == NoReply("connect", was_sent=False)


def test_printable_address_shows_no_credentials():
    shown = printable_address("https://user:pw@host.example:8443/v1?key=abc")
    assert shown == "https://host.example:8443/v1"


@pytest.mark.parametrize("url", ["", "host/v1", "ftp://host", "file:///x"])
def test_address_that_is_no_url_is_refused(url: str):
    with pytest.raises(UsageError, match="base URL"):
        printable_address(url)
