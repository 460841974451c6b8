"""Model servers as real child processes; the embedded teacher stands in for an engine."""

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.pool.local_pool import LocalPool
from infra.pool.ray_pool import RayPool
from infra.pool.ray_services import _kill
from infra.pool.services import Place
from infra.services.local_models import LocalModels
from infra.services.model_server import ModelServer
from infra.teacher.endpoints import Endpoint
from sightline.errors import PoolError

PROGRAM = [str(Path(sys.executable).with_name("sightline")), "teacher", "serve"]
EMBEDDED = {"command": [*PROGRAM, "--host", "{host}", "--port", "{port}"], "gpus": 0}
MODEL = "sightline-embedded"
WAIT_S = 20.0


def local_endpoint(name: str = "local", **serve: object) -> Endpoint:
    return Endpoint(name, "", models=(MODEL,), serve=EMBEDDED | serve)


def is_up(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/models", timeout=5) as answer:  # noqa: S310
            return [each["id"] for each in json.load(answer)["data"]] == [MODEL]
    except OSError:
        return False


def holds(claim: Callable[[], bool]) -> bool:
    until = time.monotonic() + WAIT_S
    while not claim():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def models() -> Iterator[LocalModels]:
    with LocalPool() as pool, LocalModels(pool.services) as models:
        yield models


def test_start_serves_what_is_asked_and_ends_with_the_block(models: LocalModels):
    elsewhere = Endpoint("cloud", "https://api.example/v1")
    idle = Endpoint("idle", "", models=("another",), serve={"command": ["false"]})
    found = models.start([elsewhere, local_endpoint(replicas=2), idle], {MODEL})
    assert [endpoint.name for endpoint in found] == ["cloud", "local-1", "local-2"]
    urls = [endpoint.base_url for endpoint in found[1:]]
    assert len(set(urls)) == 2
    assert all(map(is_up, urls))
    assert found[1].api_key
    assert found[1].api_key not in repr(found)
    models.close()
    assert not any(map(is_up, urls))


def test_start_server_that_ends_tells_its_last_words(models: LocalModels):
    noisy = ["{python}", "-c", "import sys; print('no kernel for {name}'); sys.exit(3)"]
    said = r"ended with code 3; it said last: no kernel for sightline-embedded"
    with pytest.raises(PoolError, match=said):
        models.start([local_endpoint(command=noisy)], {MODEL})


def test_start_server_that_never_answers_is_given_up(models: LocalModels):
    silent = ["{python}", "-c", "import time; print('loading', flush=True); time.sleep(60)"]
    with pytest.raises(PoolError, match=r"did not answer within 1 s; it said last: loading"):
        models.start([local_endpoint(command=silent, start_timeout_s=1)], {MODEL})


def test_start_without_the_engine_says_where_to_install_it(models: LocalModels):
    with pytest.raises(PoolError, match=r"vllm is not installed on this machine: `pip install"):
        models.start([Endpoint("local", "", models=("qwen",), serve={"gpus": 0})], {"qwen"})


def test_server_that_dies_comes_back_at_the_same_address():
    server = ModelServer(Place(), EMBEDDED, [MODEL], key="k")
    try:
        os.killpg(child_of(server._guard.pid), signal.SIGKILL)
        assert holds(lambda: server.state().restarts == 1 and is_up(server.url()))
        assert server.state().reason == ""
    finally:
        server.close()
    assert not is_up(server.url())


def test_server_that_dies_again_and_again_stays_down_and_says_why():
    server = ModelServer(Place(), EMBEDDED | {"max_restarts": 0}, [MODEL], key="k")
    try:
        os.killpg(child_of(server._guard.pid), signal.SIGKILL)
        assert holds(lambda: "ended 1 times in a row" in server.state().reason)
        assert not server.state().is_up
    finally:
        server.close()


def child_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(text.split()[0])


@pytest.mark.ray
def test_server_on_ray_ends_when_its_actor_is_killed(ray_pool: RayPool):
    with LocalModels(ray_pool.services) as models:
        (endpoint,) = models.start([local_endpoint(cpus=0)], {MODEL})
        assert is_up(endpoint.base_url)
        for service in ray_pool.services._started:
            _kill(service._actor)
        assert holds(lambda: not is_up(endpoint.base_url))
