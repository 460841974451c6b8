"""A server of one model as a service: started on its machine, watched, restarted, ended.

The server is a child process with HTTP in between, not a library in this process: engines pin their
own versions of torch, and one that crashes takes nothing along.  It listens on one port for its
whole life, so its URL stays true over restarts; callers meanwhile see an endpoint that is down, and
wait (`infra.teacher.pace.breaker`).  Its key is a random one of the run, handed over in the
environment, because a command line can be read by everybody on the machine.
"""

import logging
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infra.pool.services import Place
from infra.services.serve_plan import ServePlan
from infra.settings import child_environment
from sightline.errors import PoolError

KEY_VARIABLE = "VLLM_API_KEY"
"""vLLM takes its key from here; other programs may ignore it."""

POLL_S = 0.2
PROBE_TIMEOUT_S = 5.0
STOP_S = 15.0
"""Longer than the guard gives the server."""

TAIL_CHARS = 2000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a server is.

    Attributes:
        is_up: whether its process runs; a restarted one may still be loading.
        restarts: how often it ended by itself and was started again.
        reason: why it stays down; empty while it does not.
    """

    is_up: bool
    restarts: int
    reason: str = ""


class ModelServer:
    """One server; `infra.pool.services` builds it where its GPUs are.

    Args:
        place: the machine.
        plan: fields of `ServePlan`.
        names: what requests may call the model.
        key: what clients have to send.
    """

    def __init__(
        self, place: Place, plan: Mapping[str, Any], names: Sequence[str], key: str
    ) -> None:
        self._plan = ServePlan.model_validate(dict(plan))
        _check_engine(self._plan, place)
        self._folder = Path(tempfile.mkdtemp(prefix="sightline-server-"))
        self._log = self._folder / "server.log"
        port = _free_port(place.address)
        self._command = self._plan.command_line(names, place.address, port)
        self._root = f"http://{place.address}:{port}"
        self._key = key
        self._restarts = 0
        self._reason = ""
        self._is_closing = threading.Event()
        self._guard = self._start()
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._watch, name="model-server", daemon=True).start()

    def url(self) -> str:
        """Return the base URL, up to and including `/v1`."""
        return f"{self._root}/v1"

    def state(self) -> ServerState:
        """Return how it is now."""
        return ServerState(self._guard.poll() is None, self._restarts, self._reason)

    def close(self) -> None:
        """End the server and what it started; idempotent."""
        self._is_closing.set()
        _close_pipe(self._guard)
        try:
            self._guard.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the plan is the user's own
                [sys.executable, "-m", "infra.services.guard", *self._command],
                env=child_environment({KEY_VARIABLE: self._key}),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _await_ready(self) -> None:
        """Wait until the server answers.

        Raises:
            PoolError: it ended, or did not answer in time; the text ends with its last lines.
        """
        until = time.monotonic() + self._plan.start_timeout_s
        while not self._answers():
            if self._guard.poll() is not None:
                raise PoolError(self._told(f"ended with code {self._guard.returncode}"))
            if time.monotonic() > until:
                waited = f"did not answer within {self._plan.start_timeout_s:g} s"
                raise PoolError(self._told(waited))
            self._is_closing.wait(POLL_S)

    def _answers(self) -> bool:
        try:
            url = self._root + self._plan.health
            with urllib.request.urlopen(url, timeout=PROBE_TIMEOUT_S) as answer:  # noqa: S310
                return bool(answer.status == HTTPStatus.OK)
        except (OSError, ValueError):
            return False

    def _watch(self) -> None:
        """Start the server again when it ends by itself; runs in a thread of its own."""
        ends = 0
        while not self._is_closing.is_set():
            self._guard.wait()
            if self._is_closing.is_set():
                return
            ends += 1
            logger.warning("%s", self._told(f"ended with code {self._guard.returncode}"))
            if ends > self._plan.max_restarts:
                self._reason = self._told(f"ended {ends} times in a row")
                return
            self._restarts += 1
            _close_pipe(self._guard)
            self._guard = self._start()
            ends = 0 if self._comes_back() else ends

    def _comes_back(self) -> bool:
        try:
            self._await_ready()
        except PoolError:
            return False
        return True

    def _told(self, what: str) -> str:
        try:
            last = self._log.read_text(errors="replace")[-TAIL_CHARS:].strip()
        except OSError:
            last = ""
        program = " ".join(self._command[:5])
        return f"the model server `{program} ...` {what}; it said last: {last or '(nothing)'}"


def _check_engine(plan: ServePlan, place: Place) -> None:
    if plan.command is None and find_spec(plan.engine) is None:
        where = f"machine {place.address}" if place.node else "this machine"
        msg = (
            f"{plan.engine} is not installed on {where}: `pip install {plan.engine}` there, in the "
            "environment of Ray's workers, or state a `command` under `serve`"
        )
        raise PoolError(msg)


def _close_pipe(guard: "subprocess.Popen[bytes]") -> None:
    """Let go of what the guard waits at."""
    if guard.stdin is not None:
        guard.stdin.close()


def _free_port(host: str) -> int:
    """Return a port that is free now; who takes it first is told by the server's log."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
