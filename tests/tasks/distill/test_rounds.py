import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.images.decode import ImageProblem
from infra.teacher.types import ImagePart, Request, Response
from sightline.boxes import FULL_VIEW, Box
from sightline.errors import BudgetError, Failure
from sightline.ids import image_id
from sightline.outcomes import Outcome
from tasks.asking.places import AHEAD
from tasks.distill.case import ChainCase
from tasks.distill.chain import StopReason
from tasks.distill.rounds import ChainResult, run_chain
from tasks.distill.rows import tables_of
from tasks.distill.views import View
from tests.tasks.distill.many import distill


def _view(case: ChainCase, box: Box) -> View:
    """Return bytes that name what is shown; the whole image is the stored original."""
    data = f"{case.image_id} {box}".encode()
    part = ImagePart(image_id(data), data, "image/png")
    if box == FULL_VIEW:
        return View(part, None)
    row = {
        "image_id": part.image_id, "bytes": data, "width": 1, "height": 1, "format": "png",
        "n_bytes": len(data), "n_frames": 1, "pixel_sha": part.image_id, "exif_orientation": 1,
        "source": "signs", "parent_image_id": case.image_id, "crop_box": list(box),
    }  # fmt: skip
    return View(part, row)


async def _all(
    cases: Any, teacher: Any, make_view: Any = _view, in_flight: int = 4
) -> list[ChainResult]:
    return [result async for result in distill(cases, teacher, make_view, in_flight)]


def _cases(make_case: Callable[..., ChainCase], n: int) -> list[ChainCase]:
    return [make_case(sample_id=f"sample_{i}", question=f"Question {i}?") for i in range(n)]


def test_run_chain_asks_each_round_about_its_view(
    make_case: Callable[..., ChainCase], teacher: Any
):
    result = asyncio.run(run_chain(make_case(), teacher.ask, _view))
    assert result.finished.stop_reason is StopReason.ANSWERED
    assert [e.ask.stage.value for e in result.exchanges] == ["zoom", "zoom", "final"]
    shown = [r.content[0].data.decode() for r in teacher.requests]
    assert shown == [f"image_1 {e.ask.view_box}" for e in result.exchanges]
    assert [r.parameters for r in teacher.requests] == [
        {"temperature": 0.0, "max_tokens": 1024}
    ] * 3


def test_distill_with_replies_out_of_order_yields_in_order_and_stays_busy(
    make_case: Callable[..., ChainCase], teacher: Any
):
    teacher.delay_s = lambda r: 0.05 if r.subject_id == "sample_0" else 0.0
    cases = _cases(make_case, 40)
    results = asyncio.run(_all(cases, teacher))
    assert [r.case.sample_id for r in results] == [c.sample_id for c in cases]
    assert teacher.most_running <= 4
    first_done = max(i for i, r in enumerate(teacher.requests) if r.subject_id == "sample_0")
    begun = {r.subject_id for r in teacher.requests[:first_done]}
    assert len(begun) > 4, "others go on while the first waits"
    assert len(begun) <= 4 * AHEAD


def test_distill_reads_cases_no_further_ahead_than_it_may(
    make_case: Callable[..., ChainCase], teacher: Any
):
    read = 0

    def cases() -> Iterator[ChainCase]:
        nonlocal read
        for case in _cases(make_case, 200):
            read += 1
            yield case

    async def first() -> int:
        results = distill(cases(), teacher, _view, 2)
        await anext(results)
        await asyncio.sleep(0.2)
        ahead = read
        await results.aclose()
        return ahead

    assert asyncio.run(first()) <= 2 * AHEAD + 2


def test_distill_when_the_budget_is_spent_raises_and_keeps_what_came_before(
    make_case: Callable[..., ChainCase], teacher: Any
):
    class Broke:
        asked = 0

        async def ask(self, request: Request) -> Response:
            self.asked += 1
            if self.asked > 30:
                msg = "the next call would cross 30 calls"
                raise BudgetError(msg)
            return await teacher.ask(request)

    broke, kept = Broke(), []

    async def run() -> None:
        async for result in distill(_cases(make_case, 100), broke, _view, 3):
            kept.append(result)  # noqa: PERF401 - what came before the error must be kept

    with pytest.raises(BudgetError):
        asyncio.run(run())
    assert 0 < len(kept) <= 10
    assert len(teacher.requests) == 30
    assert teacher.running == 0


def test_distill_with_a_failing_case_source_raises_its_error(
    make_case: Callable[..., ChainCase], teacher: Any
):
    def cases() -> Iterator[ChainCase]:
        yield make_case()
        msg = "the lake is gone"
        raise OSError(msg)

    with pytest.raises(OSError, match="gone"):
        asyncio.run(_all(cases(), teacher))


def test_distill_of_an_unreadable_view_ends_that_chain_alone(
    make_case: Callable[..., ChainCase], teacher: Any
):
    def make_view(case: ChainCase, box: Box) -> View:
        if case.sample_id == "sample_1":
            raise ImageProblem(Failure.IMAGE_UNREADABLE, "no image")
        return _view(case, box)

    results = asyncio.run(_all(_cases(make_case, 3), teacher, make_view))
    reasons = [r.finished.stop_reason for r in results]
    assert reasons == [StopReason.ANSWERED, StopReason.NO_VIEW, StopReason.ANSWERED]
    failures = tables_of(results, set()).failures.to_pylist()
    assert [(f["item_id"], f["code"]) for f in failures] == [("sample_1", "image_unreadable")]


def test_tables_of_chains_hold_replies_crops_once_and_failed_calls(
    make_case: Callable[..., ChainCase], teacher: Any
):
    teacher.outcomes["final"] = Outcome.TRUNCATED
    case = make_case()
    results = asyncio.run(_all([case, replace(case, sample_id="s2")], teacher))
    seen = set()
    tables = tables_of(results, seen)
    rows = tables.generations.to_pylist()
    assert [r["round"] for r in rows] == [1, 2, 3, 1, 2, 3]
    assert len({r["generation_id"] for r in rows}) == 6
    assert {r["chain_id"] for r in rows} == {case.chain_id, results[1].case.chain_id}
    crops = tables.images["image_id"].to_pylist()
    assert len(crops) == len(set(crops))
    assert seen == set(crops) == {r["view_image_id"] for r in rows if r["round"] > 1}
    assert tables_of(results, seen).images.num_rows == 0
    assert [f["code"] for f in tables.failures.to_pylist()] == ["teacher_truncated"] * 2


def test_tables_of_samples_that_cannot_be_asked_say_once_why(
    make_case: Callable[..., ChainCase], teacher: Any
):
    cases = [make_case(image_id=None), make_case(sample_id="s2", question=None)] * 2
    tables = tables_of(asyncio.run(_all(cases, teacher)), set())
    assert tables.generations.num_rows == 0
    assert [(f["item_id"], f["code"]) for f in tables.failures.to_pylist()] == [
        ("sample_1", "image_missing"),
        ("s2", "ask_skipped"),
    ]
    assert teacher.requests == []


def test_tables_of_a_rerun_in_another_concurrency_are_equal(
    make_case: Callable[..., ChainCase], teacher: Any
):
    teacher.delay_s = lambda r: 0.001 * (hash(r.request_key) % 5)
    cases = _cases(make_case, 20)
    one = tables_of(asyncio.run(_all(cases, teacher, in_flight=1)), set())
    many = tables_of(asyncio.run(_all(cases, teacher, in_flight=7)), set())
    assert one == many


def test_tables_of_a_reply_with_lone_surrogates_are_storable(
    make_case: Callable[..., ChainCase], teacher: Any
):
    teacher.texts["final"] = "\ud800 no"
    tables = tables_of(asyncio.run(_all([make_case()], teacher)), set())
    assert tables.generations["raw_text"].to_pylist()[-1] == "\ufffd no"
