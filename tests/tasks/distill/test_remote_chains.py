"""A chain asked by a worker ends as one asked here; only values travel."""

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra.images.decode import ImageProblem
from infra.images.shelf import ShelvedImage
from infra.teacher.jobs import Job
from infra.teacher.types import Asker
from sightline.errors import Failure
from sightline.ids import image_id
from tasks.asking.in_order import StoppedError
from tasks.distill.case import ChainCase
from tasks.distill.chain import StopReason
from tasks.distill.remote_chains import asked_by
from tasks.distill.rounds import ChainResult, RunChain, asked_here
from tasks.distill.views import ViewCutter


class ByPost:
    """Runs jobs as workers do: what goes there and comes back is pickled."""

    def __init__(self, teacher: Asker) -> None:
        self._teacher = teacher
        self.jobs = 0

    async def run(self, make_job: Callable[[], Job[Any]]) -> Any:
        self.jobs += 1
        job = pickle.loads(pickle.dumps(make_job()))  # noqa: S301 - what the test has just made
        return pickle.loads(pickle.dumps(await job.run(self._teacher)))  # noqa: S301 - as above


def ask(run: RunChain, case: ChainCase, load: Callable[[str], ShelvedImage]) -> ChainResult:
    return asyncio.run(run(case, ViewCutter(load), lambda: None))


@pytest.fixture
def zoomed(make_case: Callable[..., ChainCase], picture: Callable[..., bytes]) -> ChainCase:
    return make_case(image_id=image_id(picture()), width=100, height=80, params={"min_view_px": 4})


def test_chain_on_a_worker_ends_as_one_here(
    zoomed: ChainCase, teacher: Asker, picture: Callable[..., bytes]
):
    def load(_image_id: str) -> ShelvedImage:
        return ShelvedImage(picture(), "signs", "CC0-1.0")

    workers = ByPost(teacher)
    there = ask(asked_by(workers), zoomed, load)
    assert there == ask(asked_here(teacher), zoomed, load)
    assert len(there.exchanges) > 1
    assert any(exchange.crop is not None for exchange in there.exchanges)
    assert workers.jobs == 1


def test_chain_whose_image_is_missing_says_so_as_here(zoomed: ChainCase, teacher: Asker):
    def load(name: str) -> ShelvedImage:
        raise ImageProblem(Failure.IMAGE_MISSING, f"image {name} is not in the lake")

    there = ask(asked_by(ByPost(teacher)), zoomed, load)
    assert there == ask(asked_here(teacher), zoomed, load)
    assert there.finished.stop_reason is StopReason.NO_VIEW
    assert there.view_problem is Failure.IMAGE_MISSING


def test_chain_with_nothing_to_ask_stays_here(zoomed: ChainCase, teacher: Asker):
    workers = ByPost(teacher)
    without_image = replace(zoomed, image_id=None)
    result = ask(asked_by(workers), without_image, lambda _name: pytest.fail("not wanted"))
    assert (result.exchanges, workers.jobs) == ((), 0)


def test_chain_is_not_begun_once_another_has_failed_for_all(zoomed: ChainCase, teacher: Asker):
    workers = ByPost(teacher)

    def stopped() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        asyncio.run(asked_by(workers)(zoomed, ViewCutter(lambda _: pytest.fail("no")), stopped))
    assert workers.jobs == 0
