"""What both kinds of services promise, and what only those in processes of their own can show."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.pool.local_pool import LocalPool
from infra.pool.ray_pool import RayPool
from infra.pool.services import BuildDiedError, ServiceGoneError, Services
from sightline.errors import BudgetError, PoolError
from tests.infra.pool.pool_services import service


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def services(request: pytest.FixtureRequest) -> Iterator[Services]:
    if request.param == "ray":
        pool: RayPool = request.getfixturevalue("ray_pool")
        yield pool.services
    else:
        with LocalPool() as local:
            yield local.services


def test_service_keeps_state_and_answers_while_a_call_waits(services: Services):
    counter = services.start(service("Counter", start=1))
    waiting = counter.submit("wait_for_ten")
    assert counter.submit("add", 2).result(20) == 3
    assert not waiting.done()
    assert counter.submit("sync_sum").result(20) == 3
    counter.submit("add", 7).result(20)
    assert waiting.result(20) == 10
    counter.stop()


def test_service_raises_its_own_errors_and_names_bugs(services: Services):
    counter = services.start(service("Counter"))
    with pytest.raises(BudgetError, match=r"^the cap is reached$"):
        counter.submit("spend").result(20)
    with pytest.raises(PoolError, match=r"Counter\.stumble failed: KeyError: 'a plain bug'"):
        counter.submit("stumble").result(20)
    with pytest.raises(PoolError, match="no attribute 'fly'"):
        counter.submit("fly").result(20)
    counter.stop()


def test_service_holds_another_service(services: Services):
    counter = services.start(service("Counter"))
    doorman = services.start(service("Doorman", counter=counter))
    assert [doorman.submit("add", n).result(20) for n in (1, 2)] == [1, 3]
    counter.stop()
    with pytest.raises(PoolError, match="ServiceGoneError"):
        doorman.submit("add", 1).result(20)
    doorman.stop()


def test_service_stopped_is_gone_for_good(services: Services):
    counter = services.start(service("Counter"))
    counter.stop()
    counter.stop()
    with pytest.raises(ServiceGoneError):
        counter.submit("add", 1).result(20)


def test_start_factory_raises_says_why(services: Services):
    with pytest.raises(PoolError, match=r"Unbuildable could not be built: RuntimeError: nothing"):
        services.start(service("Unbuildable"))


@pytest.mark.ray
def test_service_killed_raises_for_every_call_under_way(ray_pool: RayPool):
    counter = ray_pool.services.start(service("Counter"))
    waiting = counter.submit("wait_for_ten")
    counter.submit("die")
    with pytest.raises(ServiceGoneError, match="ended unexpectedly"):
        waiting.result(20)


@pytest.mark.ray
def test_start_more_gpus_than_the_machine_has_says_so(ray_pool: RayPool):
    with pytest.raises(PoolError, match="wants 64 GPUs, this machine has"):
        ray_pool.services.start(replace(service("Counter"), num_gpus=64))


@pytest.mark.ray
def test_start_process_dies_when_built_says_that_it_may_be_tried_again(ray_pool: RayPool):
    with pytest.raises(BuildDiedError, match="DiesWhenBuilt died when built: its process ended"):
        ray_pool.services.start(service("DiesWhenBuilt"))
