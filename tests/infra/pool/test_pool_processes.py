"""Drivers that are killed or interrupted, and a cluster that somebody else started."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray


def driver(root: Path, address: str, fate: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.infra.pool.pool_driver", address, fate],
        cwd=root,
        env=os.environ | {"RAY_AUTH_MODE": "token"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ray_processes_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        stat = entry / "stat"
        if entry.name.isdigit() and stat.exists():
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[1] == str(pid):
                found.append(int(entry.name))
    return found


def interrupted(process: subprocess.Popen[str]) -> str:
    """Interrupt a process as a person does, again if nothing happens; return what it wrote.

    Python drops an interrupt that reaches it in a destructor or a callback.
    """
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=20)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=60)[1]


def test_driver_killed_leaves_nothing_that_hinders_the_next(repo_root: Path):
    first = driver(repo_root, "local", "killed")
    assert first.communicate(timeout=90)[0] == "[0, 2, 4, 6]\n"
    assert first.returncode == -signal.SIGKILL
    second = driver(repo_root, "local", "none")
    shown, errors = second.communicate(timeout=90)
    assert (shown, errors, second.returncode) == ("[0, 2, 4, 6]\n", "", 0)


def test_driver_interrupted_ends_its_ray_and_goes(repo_root: Path):
    process = driver(repo_root, "local", "interrupted")
    assert process.stdout is not None
    assert process.stdout.readline() == "[0, 2, 4, 6]\n"
    started = ray_processes_of(process.pid)
    assert len(started) >= 2
    time.sleep(0.5)  # the map must be under way when the interrupt comes
    errors = interrupted(process)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def cluster(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Ray head with its client server; ended by its own process id, never by `ray stop`."""
    folder = tmp_path_factory.mktemp("r")  # short: socket paths end at 107 characters
    gcs, client = free_port(), free_port()
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    command += ["--port", str(gcs), "--ray-client-server-port", str(client), "--num-cpus", "2"]
    command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"]
    command += ["--object-store-memory", "100000000"]
    environment = os.environ | {"RAY_AUTH_MODE": "token", "PYTHONPATH": str(repo_root)}
    with (folder / "log").open("w") as log:
        head = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        await_port(client, head)
        yield f"ray://127.0.0.1:{client}"
    finally:
        head.terminate()
        head.wait(30)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def await_port(port: int, head: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and head.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("the Ray head did not start")


def test_driver_existing_cluster_gets_this_projects_code(repo_root: Path, cluster: str):
    process = driver(repo_root, cluster, "where")
    shown, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    values, where = shown.splitlines()
    assert values == "[0, 2, 4, 6]"
    assert "py_modules_files" in where
