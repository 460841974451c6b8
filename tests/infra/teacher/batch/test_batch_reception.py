"""What arrives is kept and counted, however it arrives: cut, late, or by another process."""

from pathlib import Path

import pytest

from infra.embedded_teacher.files import FileStore
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from infra.lake.lake import Lake
from infra.teacher.batch.client import UnreachableError
from infra.teacher.batch.outbox import FileLimits
from infra.teacher.batch.protocol import RemoteBatch
from infra.teacher.batch.receiving import Receiver
from infra.teacher.batch.record import BatchState
from infra.teacher.batch.reservations import Reservations
from infra.teacher.budget import Caps
from infra.teacher.prices import Prices
from sightline.errors import BudgetError, TeacherError
from tests.infra.teacher.batch.batches import Site, receive_all, site_at, states, wave
from tests.infra.teachers import ask_for, server_that


def ended(site: Site) -> RemoteBatch:
    """Return the only batch as its endpoint has it, once it is over."""
    (batch,) = site.batches()
    while not (remote := site.client.retrieve(batch.provider_id or "")).is_final:
        pass
    return remote


def test_download_that_was_cut_is_not_taken_for_missing_answers(tmp_path: Path):
    with (
        EmbeddedTeacher(ServerConfig(state=tmp_path / "state")) as server,
        site_at(server.base_url, tmp_path) as site,
    ):
        wave(site, range(4))
        output = FileStore(tmp_path / "state" / "files").path(ended(site).output_file_id or "")
        whole = output.read_bytes()
        output.write_bytes(whole[: len(whole) * 2 // 3])
        with pytest.raises(UnreachableError, match="found 2 lines"):
            site.desk.receive()
        assert states(site) == [BatchState.SUBMITTED]
        assert len(site.rows()) == 2

        output.write_bytes(whole)
        receive_all(site)
        assert sorted(row.subject_id for row in site.rows()) == [f"sample_{n}" for n in range(4)]


def test_batch_that_is_lost_does_not_hold_up_the_others(tmp_path: Path):
    limits = FileLimits(requests=1)
    with server_that() as server, site_at(server.base_url, tmp_path, limits=limits) as site:
        wave(site, [1, 2])
        first, second = site.batches()
        site.desk.book.move(first, BatchState.SUBMITTED, provider_id="batch_gone")
        while site.desk.book.batch(second.batch_key).is_open:
            with pytest.raises(TeacherError, match="batch_gone"):
                site.desk.receive()
        assert len(site.rows()) == 1


def test_cap_counts_what_another_process_collected(tmp_path: Path):
    with server_that() as server, site_at(server.base_url, tmp_path, caps=Caps(calls=1)) as site:
        wave(site, [1])
        ended(site)
        other = Receiver(site.desk.book, site.ledger, Prices({}), site.client)
        other.receive(*site.batches())
        with pytest.raises(BudgetError, match="1 calls are spent"):
            wave(site, [2])


def test_answers_that_another_machine_collected_are_known_before_the_batch_counts_as_over(
    local_lake: Lake, tmp_path: Path
):
    key = ask_for(1, task="zoom").call_key
    with (
        server_that(batch_seconds=1) as server,
        site_at(server.base_url, tmp_path / "one", shared_lake=local_lake) as one,
        site_at(server.base_url, tmp_path / "two", shared_lake=local_lake) as two,
    ):
        wave(one, [1])
        assert one.ledger.lookup(*key) is None
        receive_all(two)
        assert Reservations(one.ledger)(key) is None
        assert one.ledger.lookup(*key) is not None


def test_batch_is_found_by_its_file_whatever_else_has_its_key(tmp_path: Path):
    with server_that() as server, site_at(server.base_url, tmp_path, grace_s=0.0) as site:
        wave(site, [1])
        (batch,) = site.batches()
        found = site.client.find("another key", batch.input_file_id)
        assert found is not None
        assert found.id == batch.provider_id
        assert site.client.find(batch.batch_key, "another file") is None
