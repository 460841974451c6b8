"""Child processes that cannot outlive the tests: own group, killed on exit, with their parent."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 5


class ServerError(RuntimeError):
    """A server did not start; the message holds the end of its log."""


class Processes:
    """Starts daemons in the foreground and ends every one of them."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder, self._env = folder, dict(env)
        self._running: list[subprocess.Popen[bytes]] = []
        self._owner = os.getpid()
        atexit.register(self.close)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a daemon whose output goes to `<name>.out`."""
        with self.log(name).open("ab") as out:
            process = subprocess.Popen(
                [*_dies_with_parent(), *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._env,
                start_new_session=True,
            )
        self._running.append(process)

    def start_until(
        self, name: str, command: Sequence[str], ready: Callable[[], bool], deadline: float
    ) -> None:
        """Start a daemon, again if it dies, until `ready()`."""
        self.start(name, command)
        while not ready():
            if time.monotonic() > deadline:
                msg = f"{name} is not ready; logs end with\n{self.log_tails()}"
                raise ServerError(msg)
            if self._running[-1].poll() is not None:
                self._running.pop()
                self.start(name, command)
            time.sleep(0.05)

    def run(self, name: str, command: Sequence[str], timeout: float = 20) -> bool:
        """Run a command, `timeout` seconds at most, and return whether it succeeded."""
        with self.log(name).open("ab") as out:
            process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._env,
                start_new_session=True,
            )
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(process)

    def all_alive(self) -> bool:
        return all(process.poll() is None for process in self._running)

    def wait(self, what: str, ready: Callable[[], bool], deadline: float) -> None:
        """Return once `ready()`; raise if a daemon dies or the deadline passes first."""
        while not ready():
            if not self.all_alive() or time.monotonic() > deadline:
                msg = f"{what} failed; logs end with\n{self.log_tails()}"
                raise ServerError(msg)
            time.sleep(0.1)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.out"

    def log_tails(self) -> str:
        tails = []
        for path in sorted(self.folder.glob("*.out")):
            lines = path.read_text(errors="replace").splitlines()[-5:]
            tails += [f"{path.name}: {line}" for line in lines]
        return "\n".join(tails)

    def close(self) -> None:
        """End every process group and remove the folder; a second call does nothing."""
        if os.getpid() != self._owner:  # a forked child inherits the exit handler
            return
        atexit.unregister(self.close)
        for process in reversed(self._running):
            _end(process)
        self._running.clear()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _dies_with_parent() -> list[str]:
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
