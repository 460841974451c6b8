"""A recipe built in batches: wave by wave, on changing machines, as good as a live build."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.request_log import read_log
from infra.embedded_teacher.server import EmbeddedTeacher, ServerConfig
from sightline.errors import UsageError
from tests.flows.artifacts import newest_table
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks

if TYPE_CHECKING:
    from flows.batch import BatchBuild

JUDGED = "steps.judge.enabled=true"
MAX_RUNS = 12
SMALL = (
    *("source.n=2", "part_rows=2", "steps.distill.rounds=2", JUDGED),
    *(f"steps.{step}.enabled=false" for step in ("depth", "segment", "ground")),
)
"""One part, no workers, and a judge to be asked once the chains are there."""
CHAINS = """
select chain_id, round, stage, request_key, raw_text, outcome
from generations
order by chain_id, round, request_key
"""

pytestmark = pytest.mark.server


def build_in_batches(site: Site, *overrides: str, wait: bool, **settings: Any) -> "BatchBuild":
    from flows.batch import batch_distill

    uri = str(site.folder / "lake")
    quick = {"pool": "local", "batch_poll_s": 0.05}
    with site.surroundings(uri, quick | settings):
        return batch_distill(recipe="demo", lake=uri, overrides=list(overrides), wait=wait)


def test_runs_on_changing_machines_end_with_the_build(site: Site, tmp_path: Path):
    log = tmp_path / "log.jsonl"
    trouble = Misbehaviour(truncation_share=0.1, batch_error_share=0.05)
    with EmbeddedTeacher(ServerConfig(misbehaviour=trouble, log=log)) as teacher:
        runs = []
        while not runs or runs[-1].build is None:
            machine = {"spool_dir": tmp_path / f"machine-{len(runs)}"}
            address = {"teacher_base_url": teacher.base_url, "batch_max_requests": 5}
            runs.append(build_in_batches(site, *SMALL, wait=False, **machine, **address))
            assert len(runs) < MAX_RUNS
    lake = site.lake()
    calls = ask(lake, "select request_key, draw, channel, step from ledger")
    answered = [e for e in read_log(log) if e.event == "answered" and e.status == 200]

    assert runs[0].open_batches > 1
    assert runs[-1].build is not None
    assert runs[-1].build.calls_made == 0
    assert runs[-1].build.calls_reused > 0
    assert {(call["channel"], call["step"]) for call in calls} == {
        ("batch", "distill"),
        ("batch", "judge"),
    }
    assert len(answered) == len(calls) == len({(c["request_key"], c["draw"]) for c in calls})
    assert {event.channel for event in answered} == {"batch"}
    shown, _ = newest_table("teacher-batches")
    assert sum(batch["n_answered"] for batch in shown) == len(calls)
    assert broken_checks(lake) == {}


def test_build_in_batches_writes_what_a_live_build_writes(site: Site, tiny: Site):
    summary = build_in_batches(site, *TINY, wait=True)
    assert summary.build is not None
    assert summary.build.calls_made == 0
    assert ask(site.lake(), CHAINS) == ask(tiny.lake(), CHAINS)


def test_batches_need_a_teacher_that_outlives_the_run(site: Site):
    with pytest.raises(UsageError, match="sightline teacher serve"):
        build_in_batches(site, *TINY, wait=False)
