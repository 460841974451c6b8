"""The teacher over real HTTP: outcomes, paying once, caps, and secrets."""

import asyncio
import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.teacher.client import Endpoint, Request, Response, Teacher, TeacherConfig, open_teacher
from sightline.errors import BudgetError, TeacherError, UsageError
from sightline.outcomes import Outcome
from sightline.schemas import LEDGER
from tests.infra.teachers import MODEL, ask_for, image_part, open_ledger, server_that, teacher_at

SECRET = "sk-do-not-show-0123456789"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def plain() -> Iterator[EmbeddedTeacher]:
    with server_that() as server:
        yield server


@pytest.fixture(scope="module")
def locked() -> Iterator[EmbeddedTeacher]:
    with EmbeddedTeacher(ServerConfig(api_key="right")) as server:
        yield server


def ask_all(teacher: Teacher, requests: list[Request]) -> list[Response]:
    return [future.result(60) for future in [teacher.submit(request) for request in requests]]


def prices_file(folder: Path) -> Path:
    path = folder / "prices.yaml"
    path.write_text(f"models: {{{MODEL}: {{input: 1000, output: 1000, max_image_tokens: 100}}}}")
    return path


def ledger_rows(ledger: Ledger) -> list[LedgerRow]:
    ledger.flush()
    return [LedgerRow.from_columns(row) for row in ledger._lake.read(LEDGER).to_pylist()]


def test_ask_returns_the_reply_with_its_tokens(plain: EmbeddedTeacher, tmp_path: Path):
    with teacher_at(plain.base_url, tmp_path) as (teacher, _):
        response = teacher.ask_sync(ask_for(1))
    assert response.outcome is Outcome.SUCCESS
    assert '"answer": "2"' in response.text
    assert (response.reused, response.cost_usd, response.finish_reason) == (False, 0.0, "stop")
    assert (response.tokens_in or 0) > 50
    assert (response.tokens_out or 0) > 20


def test_second_run_buys_nothing_and_says_the_same(plain: EmbeddedTeacher, tmp_path: Path):
    requests = [ask_for(number) for number in range(20)]
    with teacher_at(plain.base_url, tmp_path) as (teacher, ledger):
        first = ask_all(teacher, requests)
        again = ask_all(teacher, requests)
        ledger.flush()
    with teacher_at(plain.base_url, tmp_path) as (teacher, _):
        third = ask_all(teacher, requests)
        assert (teacher.stats.calls, teacher.stats.reused) == (0, 20)
    assert again == third == [replace(response, reused=True) for response in first]


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        ({"refusal_share": 1.0}, Outcome.REFUSED),
        ({"empty_share": 1.0}, Outcome.EMPTY),
        ({"malformed_share": 1.0}, Outcome.SUCCESS),
    ],
)
def test_paid_outcomes_are_in_the_ledger(
    tmp_path: Path, trouble: dict[str, float], outcome: Outcome
):
    with server_that(**trouble) as server, teacher_at(server.base_url, tmp_path) as (t, ledger):
        assert t.ask_sync(ask_for(1)).outcome is outcome
        assert [row.outcome for row in ledger_rows(ledger)] == [outcome]
        assert t.ask_sync(ask_for(1)).reused


def test_truncated_reply_is_asked_once_more_with_twice_the_room(
    plain: EmbeddedTeacher, tmp_path: Path
):
    with teacher_at(plain.base_url, tmp_path) as (teacher, ledger):
        full = teacher.ask_sync(ask_for(1))
        short = ask_for(1, max_tokens=(full.tokens_out or 0) - 1)
        longer = teacher.ask_sync(short)
        assert (longer.outcome, longer.text) == (Outcome.SUCCESS, full.text)
        assert longer.request_key != short.request_key
        hopeless = teacher.ask_sync(ask_for(1, max_tokens=2))
        assert hopeless.outcome is Outcome.TRUNCATED
        assert teacher.stats.calls == 5
        assert hopeless.cut_first is not None
        assert hopeless.cut_first.outcome is Outcome.TRUNCATED
        again = teacher.ask_sync(ask_for(1, max_tokens=2))
        assert replace(again, cut_first=None) == replace(hopeless, reused=True, cut_first=None)
        assert teacher.stats.calls == 5
        outcomes = [row.outcome for row in ledger_rows(ledger)]
    assert sorted(outcomes) == ["success", "success", "truncated", "truncated", "truncated"]


def test_thinking_comes_apart(tmp_path: Path):
    with server_that(thinking="field") as server, teacher_at(server.base_url, tmp_path) as (t, _):
        response = t.ask_sync(ask_for(1))
    assert response.thinking is not None
    assert "red cube ([0.10,0.20,0.30,0.45], depth 0.83)" in response.thinking
    assert (response.tokens_reasoning or 0) > 0


def test_image_counts_tokens_and_is_stored_as_its_hash(plain: EmbeddedTeacher, tmp_path: Path):
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (640, 480)).save(buffer, "PNG")
    part = image_part(buffer.getvalue())
    with teacher_at(plain.base_url, tmp_path) as (teacher, ledger):
        without = teacher.ask_sync(ask_for(1))
        request = replace(ask_for(1), content=(*ask_for(1).content, part))
        seen = teacher.ask_sync(request)
        (row,) = [row for row in ledger_rows(ledger) if row.request_key == seen.request_key]
    assert (seen.tokens_in or 0) - (without.tokens_in or 0) == 85 + 170 * 2
    assert part.image_id in row.request_json
    assert "base64" not in row.request_json


def test_unreadable_image_is_an_error_of_its_row(plain: EmbeddedTeacher, tmp_path: Path):
    with teacher_at(plain.base_url, tmp_path) as (teacher, ledger):
        bad = replace(ask_for(1), content=("x", image_part(b"no image")))
        response = teacher.ask_sync(bad)
        assert (response.outcome, response.detail) == (
            Outcome.ERROR,
            "HTTP 400: an image cannot be read",
        )
        assert teacher.ask_sync(ask_for(2)).outcome is Outcome.SUCCESS
        assert len(ledger_rows(ledger)) == 1


def test_same_request_at_once_is_paid_once(tmp_path: Path):
    with (
        server_that(latency_ms=200) as server,
        teacher_at(server.base_url, tmp_path) as (teacher, ledger),
        ThreadPoolExecutor(4) as threads,
    ):

        async def many() -> list[Response]:
            return await asyncio.gather(*(teacher.ask(ask_for(1)) for _ in range(5)))

        lists = list(threads.map(lambda _: asyncio.run(many()), range(4)))
        responses = [response for listed in lists for response in listed]
        assert (teacher.stats.calls, teacher.stats.reused) == (1, 19)
        assert [response.reused for response in responses].count(False) == 1
        assert len(ledger_rows(ledger)) == 1


def test_draws_of_one_request_are_bought_one_by_one(plain: EmbeddedTeacher, tmp_path: Path):
    with teacher_at(plain.base_url, tmp_path) as (teacher, _):
        drawn = [replace(ask_for(1, temperature=1.0), draw=draw) for draw in range(8)]
        responses = ask_all(teacher, drawn)
        assert teacher.stats.calls == 8
    assert len({response.request_key for response in responses}) == 1
    assert len({response.text for response in responses}) > 1


def test_cancelled_caller_does_not_lose_the_paid_answer(tmp_path: Path):
    with (
        server_that(latency_ms=300) as server,
        teacher_at(server.base_url, tmp_path) as (teacher, ledger),
    ):

        async def impatient() -> None:
            async with asyncio.timeout(0.1):
                await teacher.ask(ask_for(1))

        with pytest.raises(TimeoutError):
            asyncio.run(impatient())
        teacher.close()
        assert len(ledger_rows(ledger)) == 1


def test_close_lets_calls_in_flight_arrive(tmp_path: Path):
    with (
        server_that(latency_ms=300) as server,
        teacher_at(server.base_url, tmp_path, max_in_flight=4) as (teacher, ledger),
    ):
        futures = [teacher.submit(ask_for(number)) for number in range(10)]
        while teacher.stats.in_flight < 4:
            pass
        teacher.close()
        ended = [future.exception(0) for future in futures]
        assert len(ledger_rows(ledger)) == ended.count(None) == 4
        with pytest.raises(TeacherError, match="closed"):
            teacher.submit(ask_for(1))


def test_call_cap_is_never_crossed(tmp_path: Path):
    log = tmp_path / "log"
    with server_that(log, latency_ms=20) as server:
        with teacher_at(server.base_url, tmp_path, max_calls=7, max_in_flight=4) as (teacher, _):
            futures = [teacher.submit(ask_for(number)) for number in range(20)]
            errors = [future.exception(30) for future in futures]
            assert teacher.stats.calls == 7
        assert sum(isinstance(error, BudgetError) for error in errors) == 13
        with teacher_at(server.base_url, tmp_path, max_calls=20) as (teacher, _):
            responses = ask_all(teacher, [ask_for(number) for number in range(20)])
            assert teacher.stats.calls == 13
    assert [response.outcome for response in responses] == [Outcome.SUCCESS] * 20


def test_dollar_cap_is_never_crossed_and_nearly_used_up(tmp_path: Path):
    changes = {"max_usd": 3.0, "max_in_flight": 8, "prices_file": prices_file(tmp_path)}
    with (
        server_that(latency_ms=10) as server,
        teacher_at(server.base_url, tmp_path, **changes) as (teacher, ledger),
    ):
        requests = [ask_for(number, max_tokens=300) for number in range(60)]
        futures = [teacher.submit(request) for request in requests]
        errors = [future.exception(60) for future in futures]
        bought = [request for request, error in zip(requests, errors, strict=True) if not error]
        spent = sum(row.cost_usd or 0.0 for row in ledger_rows(ledger))
        worst = (requests[0].text_bytes + 256 + 300) / 1000
        assert all(response.reused for response in ask_all(teacher, bought))
    assert any(isinstance(error, BudgetError) for error in errors)
    assert 3.0 - worst <= spent <= 3.0
    assert spent == pytest.approx(teacher.stats.cost_usd)


def test_dollar_cap_without_a_price_is_an_error_before_any_call(tmp_path: Path):
    place = Endpoint("e", "http://127.0.0.1:9/v1")
    config = TeacherConfig((place,), recipe="t", models=("unheard-of",), max_usd=5.0)
    with open_ledger(tmp_path) as ledger, pytest.raises(TeacherError, match="unheard-of"):
        open_teacher(config, ledger)


def test_model_without_a_price_has_no_cost(plain: EmbeddedTeacher, tmp_path: Path):
    path = tmp_path / "prices.yaml"
    path.write_text("models: {}")
    with teacher_at(plain.base_url, tmp_path, prices_file=path) as (teacher, _):
        assert teacher.ask_sync(ask_for(1)).cost_usd is None
        assert teacher.stats.unpriced == 1


def test_wrong_key_stops_the_run_and_is_never_shown(
    locked: EmbeddedTeacher, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    with teacher_at(locked.base_url, tmp_path, api_key=SECRET) as (teacher, _):
        with pytest.raises(TeacherError, match="answers 401") as caught:
            teacher.ask_sync(ask_for(1))
        with pytest.raises(TeacherError, match="answers 401"):
            teacher.ask_sync(ask_for(2))
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        shown += repr(teacher._routes) + repr(vars(caught.value))
    seen: BaseException | None = caught.value
    while seen is not None:
        shown += repr(seen) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    assert SECRET not in shown


def test_config_shows_no_key():
    assert SECRET not in repr(TeacherConfig((Endpoint("e", "http://h/v1", api_key=SECRET),), "r"))


@pytest.mark.parametrize("key", ["with space", "new\nline", "käse"])
def test_key_that_fits_no_header_is_refused_unseen(tmp_path: Path, key: str):
    config = TeacherConfig((Endpoint("e", "http://h/v1", api_key=key),), "r")
    with open_ledger(tmp_path) as ledger, pytest.raises(UsageError) as caught:
        open_teacher(config, ledger)
    assert key not in str(caught.value)


def test_unknown_model_stops_the_run(plain: EmbeddedTeacher, tmp_path: Path):
    with (
        teacher_at(plain.base_url, tmp_path) as (teacher, _),
        pytest.raises(TeacherError, match="answers 404 for model 'other'"),
    ):
        teacher.ask_sync(replace(ask_for(1), model="other"))


def test_endpoint_that_is_not_there_stops_the_run(tmp_path: Path):
    with (
        teacher_at("http://user:pass@127.0.0.1:9/v1", tmp_path) as (teacher, _),
        pytest.raises(TeacherError, match=r"cannot connect to http://127\.0\.0\.1:9/v1"),
    ):
        teacher.ask_sync(ask_for(1))
