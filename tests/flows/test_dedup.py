"""Deduplication of a lake: one outcome whatever the pool, the order, the history or the kills."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.lake.lake import Lake
from sightline.schemas import DUPLICATES, IMAGE_KEYS, SAMPLES, TEXT_KEYS, VERDICTS
from tasks.dedup.stored_memory import FOLDER
from tests.factories import commit
from tests.flows.processes import wait_until
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, content, table_rows

pytestmark = pytest.mark.server
SETTLED = ("image_keys", "text_keys", "duplicates")
COPIES = ("source.copies=0.5",)


@pytest.fixture(scope="module")
def built(shared_site: Site) -> Site:
    """A small lake with copies, deduplicated while it was built."""
    shared_site.build(*TINY, *COPIES)
    return shared_site


@pytest.fixture
def copy(built: Site, site: Site) -> Iterator[Site]:
    shutil.copytree(built.folder / "lake", site.folder / "lake")
    yield site
    shutil.rmtree(site.folder / "lake")


def settled(lake: Lake) -> dict[str, Any]:
    return {name: table_rows(lake, name) for name in SETTLED}


def forget(lake: Lake) -> None:
    """Remove every key, decision and settlement, as if nothing had been compared."""
    for contract in (IMAGE_KEYS, TEXT_KEYS, DUPLICATES):
        for part in lake.parts(contract):
            lake.drop(contract, part.part)
    for state in [*lake.objects.list(FOLDER)]:
        lake.objects.delete(state.key)


def judge_otherwise(lake: Lake) -> None:
    """Give every chain of a part of `verdicts` another score, and turn its claims around."""
    part = lake.parts(VERDICTS)[0].part
    rows = lake.read(VERDICTS, parts=[part]).select(VERDICTS.payload.names).to_pylist()
    turned = [row | {"passed": row["passed"] is False} for row in rows]
    commit(lake, VERDICTS, VERDICTS.rows(turned), part)


def test_dedup_of_a_built_lake_finds_its_work_done(copy: Site):
    before = content(copy.lake())
    summary = copy.dedup()
    assert summary.runs_computed == 0
    assert summary.runs_reused > 0
    assert content(copy.lake()) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_dedup_from_nothing_equals_what_the_build_found(built: Site, copy: Site, workers: int):
    lake = copy.lake()
    forget(lake)
    summary = copy.dedup(workers=workers)
    assert summary.runs_computed > 0
    assert settled(lake) == settled(built.lake())
    assert any(row["decision"] == "drop" for row in summary.tiers.to_pylist())
    assert broken_checks(lake) == {}


def test_appended_rows_settle_as_if_they_had_always_been_there(copy: Site, built: Site):
    copy.build(*TINY, *COPIES, "source.n=9")
    appended = settled(copy.lake())
    forget(copy.lake())
    copy.dedup()
    assert settled(copy.lake()) == appended
    assert appended != settled(built.lake())
    assert broken_checks(copy.lake()) == {}


@pytest.mark.parametrize("overrides", [(), ("steps.dedup.image_bits=0",)])
def test_other_verdicts_and_pictures_settle_as_if_they_had_always_been_so(
    copy: Site, overrides: tuple[str, ...]
):
    lake = copy.lake()
    judge_otherwise(lake)
    copy.dedup(*overrides, recipe="demo")
    again = settled(lake)
    forget(lake)
    copy.dedup(*overrides, recipe="demo")
    assert settled(lake) == again


def test_state_that_is_newer_than_the_decisions_changes_nothing(copy: Site, built: Site):
    """As after a kill between the two: the state is kept, the part is not committed."""
    lake = copy.lake()
    states = [state.key for state in lake.objects.list(FOLDER)]
    assert {Path(key).name.partition("-")[0] for key in states} == {"sample", "chain"}
    for part in lake.parts(DUPLICATES):
        lake.drop(DUPLICATES, part.part)
    copy.dedup()
    assert settled(lake) == settled(built.lake())


def test_removed_part_takes_its_keys_and_decisions_along(copy: Site):
    lake = copy.lake()
    gone = lake.parts(SAMPLES)[0].part
    ids = {r["sample_id"] for r in lake.read(SAMPLES, parts=[gone]).to_pylist()}
    lake.drop(SAMPLES, gone)
    copy.dedup()
    keyed = {row["item_id"] for row in ask(lake, "select item_id from text_keys")}
    members = "select unnest([item_id, kept_id]) as id from duplicates"
    named = {row["id"] for row in ask(lake, members)}
    assert not ids & (keyed | named)
    shrunk = settled(lake)
    forget(lake)
    copy.dedup()
    assert settled(lake) == shrunk


def test_dedup_killed_at_any_time_ends_as_if_it_had_not_been(copy: Site, built: Site):
    lake = copy.lake()
    forget(lake)
    command = copy.start("dedup", pool="local")
    assert wait_until(lambda: bool(lake.parts(IMAGE_KEYS)), 120)
    command.send_signal(signal.SIGKILL)
    command.communicate(timeout=20)
    again = copy.command("dedup", pool="local")
    assert again.returncode == 0, again.stderr[-3000:]
    assert "duplicates dropped" in again.stdout
    assert settled(lake) == settled(built.lake())


def test_questions_ignored_need_no_keys_of_questions(copy: Site):
    lake, before = copy.lake(), settled(copy.lake())
    summary = copy.dedup("steps.dedup.questions=ignore", recipe="demo")
    assert summary.runs_computed >= 1
    assert settled(lake)["image_keys"] == before["image_keys"]
    assert broken_checks(lake) == {}
