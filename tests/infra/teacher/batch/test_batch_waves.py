"""Chains answered by batches over real HTTP: waves, prices, files, caps."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded_teacher.server import EmbeddedTeacher
from infra.lake.lake import Lake
from infra.teacher.batch.outbox import FileLimits
from infra.teacher.batch.record import BatchResult, BatchState
from infra.teacher.batch.reservations import Reservations
from infra.teacher.budget import Caps
from sightline.errors import BudgetError, TeacherError
from sightline.outcomes import Outcome
from tests.infra.teacher.batch.batches import (
    PAYER,
    PRICE,
    receive_all,
    site_at,
    states,
    walk,
    wave,
    waves_until_done,
    whole_wave,
)
from tests.infra.teachers import answered, ask_for, server_that, teacher_at


@pytest.fixture(scope="module")
def plain() -> Iterator[EmbeddedTeacher]:
    with server_that() as server:
        yield server


def test_waves_answer_every_round_of_every_chain_once(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    with server_that(log) as server, site_at(server.base_url, tmp_path) as site:
        waves = waves_until_done(site, range(5))
        chains = walk(site.desk.answered(), range(5))
        rows = site.rows()

    assert [counts.wanted for counts in waves] == [5, 5, 0]
    assert all(reply.outcome is Outcome.SUCCESS for replies in chains for reply in replies)
    assert len(chains) == 5
    assert Counter(event.call for event in answered(log)).most_common(1)[0][1] == 1
    assert len(answered(log)) == len(rows) == 10
    assert {(row.channel, row.recipe, row.step) for row in rows} == {("batch", "test", "distill")}


def test_answers_cost_what_a_batch_costs(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path) as site:
        wave(site, [1])
        (received,) = receive_all(site)
        (row,) = site.rows()
    assert PRICE.batch_discount == 0.5
    assert row.tokens_in is not None
    assert row.tokens_out is not None
    expected_usd = (row.tokens_in + row.tokens_out) * 50.0 / 1_000_000
    assert row.cost_usd == pytest.approx(expected_usd)
    assert received.batch.cost_usd == pytest.approx(expected_usd)
    assert received.batch.worst_case_usd > expected_usd


def test_batch_and_live_teacher_share_one_ledger(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path) as site:
        waves_until_done(site, [1])
    with teacher_at(plain.base_url, tmp_path) as (teacher, _):
        live = teacher.ask_sync(ask_for(1, task="zoom"))
    assert live.reused


def test_files_stay_within_the_limits(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path, limits=FileLimits(requests=2)) as site:
        wave(site, range(5))
        sizes = sorted(batch.n_requests for batch in site.batches())
    assert sizes == [1, 2, 2]
    with site_at(plain.base_url, tmp_path / "bytes", limits=FileLimits(bytes=1000)) as site:
        wave(site, range(4))
        assert [batch.n_requests for batch in site.batches()] == [1, 1, 1, 1]


def test_equal_asks_of_several_chains_are_sent_once(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path) as site:
        wave(site, [1, 1, 1])
        assert [batch.n_requests for batch in site.batches()] == [1]


def test_second_wave_leaves_calls_of_open_batches_alone(tmp_path: Path):
    with server_that(batch_seconds=600) as server, site_at(server.base_url, tmp_path) as site:
        wave(site, [1, 2])
        counts = wave(site, [1, 2, 3])
        sizes = [batch.n_requests for batch in site.batches()]
        reserved = Reservations(site.ledger)
        first_key = site.batches()[0].batch_key
        assert first_key in (reserved(ask_for(1, task="zoom").call_key) or "")
        assert reserved(ask_for(9).call_key) is None
    assert (counts.waiting, counts.wanted) == (2, 1)
    assert sizes == [2, 1]


def test_live_teacher_does_not_buy_what_an_open_batch_holds(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    with server_that(log, batch_seconds=600) as server:
        with site_at(server.base_url, tmp_path) as site:
            wave(site, [1])
            reserved = Reservations(site.ledger)
        with (
            teacher_at(server.base_url, tmp_path, reserved=reserved) as (teacher, _),
            pytest.raises(TeacherError, match="sightline batch collect --wait"),
        ):
            teacher.ask_sync(ask_for(1, task="zoom"))
    assert answered(log) == []


def test_caps_count_open_batches_at_their_worst_case(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path / "one") as site:
        wave(site, [1])
        one_usd = site.batches()[0].worst_case_usd
    with site_at(plain.base_url, tmp_path, caps=Caps(usd=2.5 * one_usd)) as site:
        wave(site, range(4))
        sent = [batch.n_requests for batch in site.batches()]
        nothing_new = wave(site, range(4))
        receive_all(site)
        wave(site, range(4))
    assert sent == [2]
    assert nothing_new.waiting == 2


def test_wave_without_money_waits_for_those_who_hold_it(tmp_path: Path):
    caps = Caps(calls=1)
    with (
        server_that(batch_seconds=600) as server,
        site_at(server.base_url, tmp_path, caps=caps) as site,
    ):
        first = whole_wave(site, [1])
        second = whole_wave(site, [2])
    assert second.sent == []
    assert second.waits_for == first.waits_for == {first.sent[0].batch_key}


def test_cap_that_lets_nothing_through_stops_the_run(plain: EmbeddedTeacher, tmp_path: Path):
    with site_at(plain.base_url, tmp_path, caps=Caps(usd=0.001)) as site:
        with pytest.raises(BudgetError, match="raise the cap"):
            wave(site, [1])
        assert site.batches() == []
    with site_at(plain.base_url, tmp_path, caps=Caps(calls=3)) as site:
        with pytest.raises(BudgetError, match="3 calls"):
            waves_until_done(site, range(4))
        assert len(site.rows()) == 3


def test_only_one_process_sends_at_a_time(plain: EmbeddedTeacher, tmp_path: Path):
    another = pytest.raises(TeacherError, match="another process is sending")
    with site_at(plain.base_url, tmp_path) as site, site.desk.wave(PAYER), another:
        wave(site, [1])


def test_waves_on_a_lake_that_machines_share_may_change_machines(
    plain: EmbeddedTeacher, lake: Lake, tmp_path: Path
):
    for number, wanted in enumerate((2, 2, 0)):
        machine = tmp_path / f"machine-{number}"
        with site_at(plain.base_url, machine, shared_lake=lake) as site:
            assert wave(site, [1, 2]).wanted == wanted
            receive_all(site)
            rows = site.rows()
    assert len(rows) == 4


def test_expired_and_failed_requests_are_sent_again_then_given_up(tmp_path: Path):
    trouble = {"batch_expire_share": 0.4, "batch_error_share": 0.2}
    with server_that(**trouble) as server, site_at(server.base_url, tmp_path) as site:
        waves = waves_until_done(site, range(12))
        chains = walk(site.desk.answered(), range(12))
        results = Counter(
            request.result
            for batch in site.batches()
            for request in site.desk.book.requests(batch.batch_key)
        )
        rows = site.rows()
    assert set(states(site)) == {BatchState.COLLECTED}
    assert len(chains) == 12
    assert results[BatchResult.ANSWERED] == len(rows) == len({row.call_key for row in rows})
    assert results[BatchResult.UNANSWERED] > 0
    given_up = [r for replies in chains for r in replies if r.outcome is Outcome.ERROR]
    assert len(given_up) == waves[-1].given_up
    assert all("3 batches" in (reply.detail or "") for reply in given_up)


def test_asker_of_answered_calls_sends_nothing(plain: EmbeddedTeacher, tmp_path: Path):
    missing = pytest.raises(TeacherError, match="run the batch build again")
    with site_at(plain.base_url, tmp_path) as site, missing:
        walk(site.desk.answered(), [1])
