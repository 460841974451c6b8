"""Where a run asks, as its settings say."""

from pathlib import Path

import pytest

from flows.asking import chain_runner, open_asker
from infra.ledger.ledger import Ledger
from infra.pool.local_pool import LocalPool
from infra.settings import load_settings
from infra.teacher.budget import Budget
from infra.teacher.client import TeacherConfig
from infra.teacher.endpoints import Endpoint
from infra.teacher.remote_worker import LedgerHome
from sightline.errors import UsageError
from tests.infra.teachers import open_ledger

CONFIG = TeacherConfig((Endpoint("default", "http://127.0.0.1:9/v1"),), recipe="test")


@pytest.fixture
def ledger(tmp_path: Path):
    with open_ledger(tmp_path) as ledger:
        yield ledger


def test_workers_of_a_pool_without_processes_are_refused(ledger: Ledger):
    settings = load_settings(pool="local", teacher_workers=2)
    with (
        LocalPool() as pool,
        pytest.raises(UsageError, match="expected SIGHTLINE_POOL=ray, found local: 2 teacher"),
    ):
        open_asker(settings, CONFIG, (ledger, LedgerHome("lake")), pool, Budget(CONFIG.caps))


def test_no_workers_ask_from_this_process(ledger: Ledger):
    settings = load_settings(pool="local", teacher_workers=0)
    with (
        LocalPool() as pool,
        open_asker(
            settings, CONFIG, (ledger, LedgerHome("lake")), pool, Budget(CONFIG.caps)
        ) as teacher,
    ):
        assert callable(chain_runner(teacher))
        assert teacher.stats.calls == 0
