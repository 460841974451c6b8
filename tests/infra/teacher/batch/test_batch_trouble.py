"""Batches that are refused, cancelled, cut off or collected twice: paid once, never lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.teacher.batch.book import BatchBook
from infra.teacher.batch.client import BatchClient, BatchEndpoint
from infra.teacher.batch.receiving import Receiver
from infra.teacher.batch.record import BatchState
from infra.teacher.prices import Prices
from sightline.errors import TeacherError, UsageError
from tests.infra.teacher.batch.batches import (
    Site,
    receive_all,
    site_at,
    states,
    wave,
    waves_until_done,
)
from tests.infra.teachers import answered, server_that

SECRET = "sk-do-not-show-0123456789"  # noqa: S105 - made up


def cut_off(site: Site, state: BatchState) -> None:
    """Set the only batch back to what a sender that was killed then would have left."""
    (batch,) = site.batches()
    site.desk.book.move(batch, state, provider_id=None, provider_status=None)


def test_batch_whose_creation_was_cut_off_is_found_again(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    with server_that(log) as server, site_at(server.base_url, tmp_path) as site:
        wave(site, range(3))
        cut_off(site, BatchState.UPLOADED)
        waves_until_done(site, range(3))
    assert len(answered(log)) == 6
    assert states(site) == [BatchState.COLLECTED] * 2


def test_batch_that_was_never_sent_is_given_up_and_planned_again(tmp_path: Path):
    with server_that(batch_seconds=600) as server, site_at(server.base_url, tmp_path) as site:
        wave(site, [1])
        cut_off(site, BatchState.INTENDED)
        counts = wave(site, [1])
        assert states(site) == [BatchState.SUBMITTED]
    assert counts.wanted == 1


def test_batch_that_may_still_show_up_blocks_its_calls(tmp_path: Path):
    with server_that(batch_seconds=600) as server, site_at(server.base_url, tmp_path) as site:
        wave(site, [1])
        cut_off(site, BatchState.UPLOADED)
        (batch,) = site.batches()
        site.desk.book.move(batch, BatchState.UPLOADED, batch_key="batch_other", input_file_id="no")
        site.desk.book.move(batch, BatchState.ABANDONED)
        site.desk.book.put(
            replace(batch, batch_key="batch_other", input_file_id="no", state=BatchState.UPLOADED),
            site.desk.book.requests(batch.batch_key),
        )
        assert wave(site, [1]).waiting == 1
        assert site.desk.cancel("batch_other").state is BatchState.ABANDONED
        assert wave(site, [1]).wanted == 1


def test_batch_collected_twice_is_in_the_ledger_once(tmp_path: Path):
    with server_that() as server, site_at(server.base_url, tmp_path) as site:
        wave(site, range(4))
        (before,) = site.batches()
        receive_all(site)
        other = Receiver(site.desk.book, site.ledger, Prices({}), site.client)
        again = other.receive(before)
        rows = site.rows()
    assert again.batch.state is BatchState.COLLECTED
    assert len(rows) == 4
    assert all(row.cost_usd is not None for row in rows)


def test_refused_batch_blames_no_row(tmp_path: Path):
    with (
        server_that(batch_fail_validation=True) as server,
        site_at(server.base_url, tmp_path) as site,
    ):
        wave(site, [1, 2])
        (received,) = receive_all(site)
        assert wave(site, [1, 2]).wanted == 2
    assert received.is_refused
    assert received.batch.state is BatchState.ABANDONED
    assert received.batch.detail


def test_cancelled_batch_keeps_the_answers_that_exist(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    with server_that(log, batch_seconds=4) as server, site_at(server.base_url, tmp_path) as site:
        wave(site, range(8))
        (batch,) = site.batches()
        while not answered(log):
            site.desk.receive()
        site.desk.cancel(batch.batch_key[:12])
        (received,) = receive_all(site)
        rows = site.rows()
        counts = wave(site, range(8))
    assert received.batch.provider_status == "cancelled"
    assert 1 <= len(rows) == len(answered(log)) < 8
    assert counts.wanted == 8
    assert counts.answered == len(rows)


def test_batch_of_another_endpoint_is_left_alone(tmp_path: Path):
    with server_that() as server, site_at(server.base_url, tmp_path) as site:
        wave(site, [1])
    with server_that() as other, site_at(other.base_url, tmp_path) as site:
        assert site.desk.receive() == []
        (batch,) = site.desk.strangers()
        with pytest.raises(UsageError, match="give it up with --forget"):
            site.desk.cancel(batch.batch_key)
        assert site.desk.forget(batch.batch_key).state is BatchState.ABANDONED
        with pytest.raises(UsageError, match="expected an open batch"):
            site.desk.forget(batch.batch_key)


def test_endpoint_without_batches_is_named_and_nothing_stays_open(tmp_path: Path):
    with server_that() as server, site_at(f"{server.base_url}/nowhere", tmp_path) as site:
        with pytest.raises(TeacherError, match="404"):
            wave(site, [1])
        assert states(site) == [BatchState.ABANDONED]


def test_unknown_batch_key_names_the_candidates(tmp_path: Path):
    book = BatchBook(Lake(tmp_path / "lake"))
    with pytest.raises(UsageError, match="found 'nobody'"):
        book.batch("nobody")


def test_key_stands_in_no_error():
    with server_that() as server:
        dead = server.base_url
    for base_url in (dead, "http://127.0.0.1:1/v1"):
        with BatchClient(BatchEndpoint(base_url, api_key=SECRET, retries=0)) as client:
            with pytest.raises(TeacherError) as caught:
                client.cancel("batch_1")
            assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {client!r}"
            assert caught.value.__context__ is None
