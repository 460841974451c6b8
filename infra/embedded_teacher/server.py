"""Runs the embedded teacher: in the foreground for the CLI, or as a child process for a run.

The child watches its standard input, a pipe the parent holds: when the parent dies, however it
dies, the pipe closes and the child ends.  (PR_SET_PDEATHSIG would not do: it fires when the
*thread* that started the child ends, and runs start servers from task threads.)  The port is
bound by the child and reported over its standard output, so two servers never race for one.
"""

import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import uvicorn

from infra.embedded_teacher.app import TeacherApp
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.names import DEFAULT_MODEL
from infra.embedded_teacher.request_log import RequestLog
from sightline.errors import TeacherError

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 1.5
BACKLOG: Final = 2048
_PATHS: Final = ("log", "state")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server serves and where; port 0 takes a free one.

    Attributes:
        host: address to listen on.
        port: 0 for any free one.
        model: its own model; the name with a suffix is a model that words things differently.
        misbehaviour: how it goes wrong; what concerns batches counts for all models.
        others: further models by name, and how each of them goes wrong.
        log: JSONL file of every request; null for none.
        state: folder that files and batches outlive the server in; null forgets them.
        api_key: the key clients must send; null takes any.
    """

    host: str = "127.0.0.1"
    port: int = 0
    model: str = DEFAULT_MODEL
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    others: Mapping[str, Misbehaviour] = field(default_factory=dict)
    log: Path | None = None
    state: Path | None = None
    api_key: str | None = field(default=None, repr=False)

    def to_json(self) -> str:
        """Return the configuration as text for a child process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the configuration that `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        troubles = {
            "misbehaviour": Misbehaviour.from_mapping(values["misbehaviour"]),
            "others": {n: Misbehaviour.from_mapping(v) for n, v in values["others"].items()},
        }
        paths = {name: Path(values[name]) for name in _PATHS if values[name] is not None}
        return cls(**values | paths | troubles)


def serve(config: ServerConfig, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the base URL once requests are taken.

    Raises:
        TeacherError: the address cannot be bound.
    """
    listener = _listen(config.host, config.port)
    host = f"[{config.host}]" if ":" in config.host else config.host
    base_url = f"http://{host}:{listener.getsockname()[1]}/v1"
    log = RequestLog(config.log)
    scratch = Path(tempfile.gettempdir()) / f"embedded_teacher_{uuid.uuid4().hex}"
    teacher = TeacherApp(
        config.model,
        config.misbehaviour,
        log,
        config.state or scratch,
        config.api_key,
        config.others,
    )

    def on_started() -> None:
        teacher.resume()
        if on_ready:
            on_ready(base_url)

    # uvicorn raises what ended it once more, and SIGTERM would then skip what is to be tidied up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        _Server(_http(teacher), on_started).run(sockets=[listener])
    finally:
        listener.close()
        log.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _http(teacher: TeacherApp) -> uvicorn.Config:
    """Return how the application is served; httptools saves 5 % of a request with 300 kB images."""
    return uvicorn.Config(
        teacher,
        access_log=False,
        log_level="critical",
        lifespan="off",
        http="h11",
        ws="none",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )


class EmbeddedTeacher:
    """A server in a child process, from `with` to its end; never outlives this process."""

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.config = config or ServerConfig()
        self._child: subprocess.Popen[bytes] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """Return the URL up to and including `/v1`; empty before the server is started."""
        return self._base_url

    @property
    def model(self) -> str:
        """Return the name of the model it serves."""
        return self.config.model

    def start(self) -> None:
        """Start the server and wait until it takes requests.

        Raises:
            TeacherError: it did not start in time.
        """
        self._child = subprocess.Popen(
            [sys.executable, "-m", "infra.embedded_teacher.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            msg = "the embedded teacher's pipes are missing"
            raise TeacherError(msg)
        stdin.write(self.config.to_json().encode() + b"\n")
        stdin.flush()
        is_ready, _, _ = select.select([stdout], [], [], START_TIMEOUT_S)
        self._base_url = stdout.readline().decode().strip() if is_ready else ""
        if not self._base_url:
            self.stop()
            msg = f"the embedded teacher did not start within {START_TIMEOUT_S:.0f} s; see stderr"
            raise TeacherError(msg)

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self._child is not None:
            self._child.kill()
        self.stop()

    def stop(self) -> None:
        """End the server, within 2 s; idempotent."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


def _listen(host: str, port: int) -> socket.socket:
    """Bind; the protocol is named because asyncio sets TCP_NODELAY only where it is.

    Without it each answer waits 40 ms for the client's delayed acknowledgement.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        msg = f"cannot listen on {host}:{port}: {exc.strerror or exc}; choose another --port"
        raise TeacherError(msg) from exc
    return listener


def _end_with_parent() -> None:
    """Leave when the parent's end of the pipe closes, tidily if that takes no longer than 2 s.

    The descriptor is read, not the file object: a thread that waits inside the object holds a lock
    which the interpreter wants back when it ends.
    """
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2.0)
    os._exit(0)


def _child_main() -> None:
    logging.basicConfig(level=logging.ERROR)
    config = ServerConfig.from_json(sys.stdin.buffer.readline().decode())
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def report(base_url: str) -> None:
        sys.stdout.write(f"{base_url}\n")
        sys.stdout.flush()

    serve(config, report)


if __name__ == "__main__":
    _child_main()
