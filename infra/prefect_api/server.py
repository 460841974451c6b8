"""A Prefect API for a run: the configured one, or a local server that lives as long as its users.

The local server is a real one (`prefect server start`, SQLite in `Settings.prefect_path`): the
ephemeral one lost most task-run records with four flows at once.  Its history outlives it, and
`serve_ui` shows it again.  Runs at the same time share one server; the last to go ends it, and
`infra.prefect_api.supervisor` ends it for those who were killed.

Nothing here imports Prefect, which reads `PREFECT_API_URL` when it is first used: call
`use(session)`, and only then import flows; `meanwhile` is the time for it.
"""

import contextlib
import fcntl
import json
import logging
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from infra.settings import Settings, child_environment, prefect_environment, set_environment
from sightline.errors import SightlineError, UsageError

HOST = "127.0.0.1"
HEALTH_TIMEOUT_S = 5.0
POLL_S = 0.1
STOP_S = 25.0
"""Longer than the supervisor takes to end a server that does not want to."""

SUPERVISOR = "infra.prefect_api.supervisor"
LOG_NAME = "server.log"
LOG_TAIL_CHARS = 1500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiSession:
    """A Prefect API that answers.

    Fields:
        url: the value for `PREFECT_API_URL`.
        started: whether this run started it.
        start_s: seconds until it answered; 0 for one that was there.
        environment: variables that make this or another process use it.
    """

    url: str
    started: bool = False
    start_s: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def ui_url(self) -> str:
        """Return the address of the UI."""
        return self.url.removesuffix("/").removesuffix("/api")

    def run_url(self, flow_run_id: str) -> str:
        """Return the address of a flow run's page."""
        return f"{self.ui_url}/runs/flow-run/{flow_run_id}"


def use(session: ApiSession) -> None:
    """Make this process and its children talk to `session`; call it before importing flows.

    Raises:
        SightlineError: Prefect was imported before and might go on with another API; a caller that
            knows Prefect can enter `prefect.settings.temporary_settings` instead.
    """
    if "prefect" in sys.modules:
        msg = "prefect was imported before its API was known; import flows after `use`"
        raise SightlineError(msg)
    set_environment(session.environment)


def _nothing(_: ApiSession) -> None:
    pass


@contextmanager
def prefect_api(
    settings: Settings, meanwhile: Callable[[ApiSession], None] = _nothing
) -> Iterator[ApiSession]:
    """Give the configured Prefect API, or a local one for as long as the block runs.

    Args:
        settings: name the API, or the folder of the local one.
        meanwhile: called once as soon as the address is known, while a local server starts.

    Raises:
        UsageError: an API is configured and does not answer.
        SightlineError: the local server did not start.
    """
    configured = settings.configured_api_url
    if configured is not None and is_healthy(configured):
        session = ApiSession(configured, environment={"PREFECT_API_URL": configured})
        meanwhile(session)
        yield session
    elif configured is None or _is_leftover(settings, configured):
        with _local_api(settings, meanwhile) as session:
            yield session
    else:
        msg = (
            f"PREFECT_API_URL is {configured!r} but no Prefect API answers there; start it, or "
            "unset PREFECT_API_URL to have a local server started"
        )
        raise UsageError(msg)


def serve_ui(settings: Settings, announce: Callable[[ApiSession], None]) -> None:
    """Serve the history of earlier runs until interrupted; `announce` gets the address."""
    with prefect_api(settings) as session, contextlib.suppress(KeyboardInterrupt):
        announce(session)
        while is_healthy(session.url):
            time.sleep(1)


def is_healthy(api_url: str) -> bool:
    """Tell whether a Prefect API answers at `api_url`, even if it wants a key first."""
    url = f"{api_url.rstrip('/')}/health"
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_TIMEOUT_S) as answer:  # noqa: S310 - http
            return bool(answer.status == HTTPStatus.OK)
    except urllib.error.HTTPError as exc:
        return exc.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    except (OSError, ValueError):
        return False


def _is_leftover(settings: Settings, configured: str) -> bool:
    """Tell whether the URL is a profile's note of a local server that no longer runs.

    `prefect server start` offers to write such a note, and it is no wish for a certain API.
    """
    is_local = urlsplit(configured).hostname in {"127.0.0.1", "localhost", "::1"}
    return settings.prefect_api_url is None and is_local


@contextmanager
def _local_api(settings: Settings, meanwhile: Callable[[ApiSession], None]) -> Iterator[ApiSession]:
    home = settings.prefect_path
    home.mkdir(parents=True, exist_ok=True)
    users_path = home / "users.lock"
    with users_path.open("w") as users:
        with (home / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            # Waits for a server that is just ending; from here on none ends under us.
            fcntl.flock(users, fcntl.LOCK_SH)
            joined = _join(settings)
            session, supervisor = joined or _start(settings, users_path, meanwhile)
        try:
            if joined is not None:
                meanwhile(session)
            yield session
        finally:
            _leave(users, supervisor)


def _join(settings: Settings) -> tuple[ApiSession, None] | None:
    """Return the server that other runs use now, if there is one."""
    try:
        note = json.loads((settings.prefect_path / "server.json").read_text())
        url, pid = str(note["url"]), int(note["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not _is_supervisor(pid) or not is_healthy(url):
        return None
    return ApiSession(url, environment=prefect_environment(settings, url)), None


def _is_supervisor(pid: int) -> bool:
    """Tell whether the note is current: by now the port may be somebody else's server's."""
    try:
        return SUPERVISOR.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _start(
    settings: Settings, users_path: Path, meanwhile: Callable[[ApiSession], None]
) -> "tuple[ApiSession, subprocess.Popen[bytes]]":
    began = time.monotonic()
    home = settings.prefect_path
    port = _free_port(settings.prefect_port)
    url = f"http://{HOST}:{port}/api"
    environment = prefect_environment(settings, url)
    server = [sys.executable, "-m", "prefect", "server", "start"]
    server += ["--host", HOST, "--port", str(port)]
    with (home / LOG_NAME).open("w") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", SUPERVISOR, str(users_path), *server],
            cwd=Path(__file__).parents[2],
            env=child_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; it would reach the server too early
        )
    session = ApiSession(url, started=True, environment=environment)
    try:
        meanwhile(session)
        _await_health(settings, url, supervisor)
    except BaseException:
        supervisor.terminate()
        supervisor.wait(STOP_S)
        raise
    (home / "server.json").write_text(json.dumps({"url": url, "pid": supervisor.pid}))
    start_s = time.monotonic() - began
    logger.info("the Prefect server at %s answered after %.1f s", url, start_s)
    return replace(session, start_s=start_s), supervisor


def _await_health(settings: Settings, url: str, supervisor: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + settings.prefect_start_timeout_s
    while time.monotonic() < until:
        if is_healthy(url):
            return
        if supervisor.poll() is not None:
            break
        time.sleep(POLL_S)
    log = settings.prefect_path / LOG_NAME
    why = "ended" if supervisor.poll() is not None else "does not answer"
    msg = (
        f"the local Prefect server {why} (waited up to {settings.prefect_start_timeout_s:g} s); "
        f"its log {log} ends with: {log.read_text(errors='replace')[-LOG_TAIL_CHARS:].strip()}"
    )
    raise SightlineError(msg)


def _leave(users: IO[str], supervisor: "subprocess.Popen[bytes] | None") -> None:
    """Give up the shared lock; if nobody else holds it and the server is ours, wait for its end."""
    if supervisor is None:
        return
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # others use it; the supervisor ends it when the last of them is gone
    supervisor.terminate()
    supervisor.wait(STOP_S)


def _free_port(preferred: int) -> int:
    """Return `preferred` if it can be had, else any free port."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
    msg = f"no free port on {HOST} for a Prefect server"
    raise SightlineError(msg)
