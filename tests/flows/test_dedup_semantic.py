"""What embeddings call alike, through the whole flow: reported, paid once, never dropped."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.inspection import report_page
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from sightline.errors import RecipeError
from sightline.schemas import DUPLICATES, EMBEDDINGS, LEDGER, SAMPLES, THRESHOLDS
from tests.encoders import save_image_encoder, save_text_encoder
from tests.flows.site import TINY, Site
from tests.flows.tables import ask, broken_checks, content, count, table_rows

pytestmark = pytest.mark.server
STEP = "steps.dedup_semantic"
EMBEDDED = "sightline-embedded-e"
EVIDENCE = "select evidence from duplicate_pairs where method like '%_semantic'"
LOW = f"{STEP}.threshold=0.5"


@pytest.fixture(scope="module")
def built(shared_site: Site) -> Site:
    """A small lake with copies."""
    shared_site.build(*TINY, "source.copies=0.5")
    return shared_site


@pytest.fixture
def copy(built: Site, site: Site) -> Iterator[Site]:
    shutil.copytree(built.folder / "lake", site.folder / "lake")
    yield site
    shutil.rmtree(site.folder / "lake")


@pytest.fixture(scope="module")
def text_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_text_encoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def image_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_image_encoder(tmp_path_factory.mktemp("image"))


def reported(lake: Lake) -> dict[str, int]:
    rows = ask(
        lake,
        "select method, decision, count(*) as n from duplicate_pairs "
        "where method like '%_semantic' group by all",
    )
    assert {row["decision"] for row in rows} <= {"report"}
    return {row["method"]: row["n"] for row in rows}


def dropped(lake: Lake) -> list[dict[str, object]]:
    return ask(lake, "select * from dropped_items order by all")


def test_local_weights_report_texts_and_pictures_and_drop_nothing(
    copy: Site, text_weights: Path, image_weights: Path
):
    lake, before = copy.lake(), dropped(copy.lake())
    choices = (
        f"{STEP}.weights={text_weights}",
        f"{STEP}.image_weights={image_weights}",
        f"{STEP}.image_px=56",
        f"{STEP}.image_threshold=0.5",
        LOW,
    )
    summary = copy.dedup(*choices, recipe="demo")
    assert summary.calls_made == 0
    assert {*reported(lake)} == {"sample_semantic", "chain_semantic", "image_semantic"}
    assert dropped(lake) == before
    assert broken_checks(lake) == {}
    with Catalog(lake) as catalog:
        page = report_page("demo", catalog, [])
        evidence = catalog.query(EVIDENCE)["evidence"].to_pylist()
    assert all(f"<code>{method}</code>" in page for method in reported(lake))
    assert all(said.startswith(("cosine 0.", "cosine 1.")) for said in evidence)
    assert any("numbers, units" in said for said in evidence)
    texts = "select count(*) from embeddings where item_kind = 'chain'"
    assert count(lake, texts) == count(lake, "select count(*) from chains")
    again = copy.dedup(*choices, recipe="demo")
    assert again.runs_computed == 0


def test_pairs_of_texts_are_about_one_picture_unless_the_whole_lake_is_asked_for(
    copy: Site, text_weights: Path
):
    lake = copy.lake()
    others = """
        select count(*) from duplicate_pairs
        where method = 'sample_semantic' and item_image_ids <> kept_image_ids
        and item_image_ids[1] not in (select item_id from dropped_items)
        and kept_image_ids[1] not in (select item_id from dropped_items)
    """
    weights = f"{STEP}.weights={text_weights}"
    copy.dedup(weights, LOW, recipe="demo")
    near = reported(lake)["sample_semantic"]
    assert count(lake, others) == 0
    copy.dedup(weights, LOW, f"{STEP}.scope=lake", recipe="demo")
    assert count(lake, others) > 0
    assert reported(lake)["sample_semantic"] > near


def test_endpoint_is_paid_once_over_http_and_the_build_finds_its_work_done(copy: Site):
    lake = copy.lake()
    calls = count(lake, "select count(*) from ledger")
    bought = copy.dedup(f"{STEP}.model={EMBEDDED}", LOW, recipe="demo")
    assert bought.calls_made > 0
    assert count(lake, "select count(*) from ledger where step = 'embeddings'") == bought.calls_made
    assert count(lake, "select count(*) from ledger") == calls + bought.calls_made
    keys = (
        "select count(*) from embeddings where request_key not in (select request_key from ledger)"
    )
    assert count(lake, keys) == 0
    assert {*reported(lake)} == {"sample_semantic", "chain_semantic"}
    assert broken_checks(lake) == {}
    found = content(lake)
    summary = copy.build(*TINY, "source.copies=0.5", f"{STEP}.model={EMBEDDED}", LOW)
    assert (summary.runs_computed, summary.calls_made) == (0, 0)
    assert content(lake) == found


def test_embeddings_that_were_lost_come_from_the_ledger_for_nothing(copy: Site):
    lake = copy.lake()
    choices = (f"{STEP}.model={EMBEDDED}", LOW)
    first = copy.dedup(*choices, recipe="demo")
    found = table_rows(lake, "embeddings"), table_rows(lake, "duplicates")
    for contract in (EMBEDDINGS, DUPLICATES):
        for part in lake.parts(contract):
            lake.drop(contract, part.part)
    again = copy.dedup(*choices, recipe="demo")
    assert (again.calls_made, again.cost_usd) == (0, 0.0)
    assert again.calls_reused == first.calls_made + first.calls_reused
    assert (table_rows(lake, "embeddings"), table_rows(lake, "duplicates")) == found


def test_labelled_pairs_give_a_threshold_that_the_next_run_takes(copy: Site):
    lake = copy.lake()
    questions = [row["question"] for row in lake.read(SAMPLES).to_pylist() if row["question"]][:8]
    rows = [{"label": 1, "text1": text, "text2": f"{text} Please answer."} for text in questions]
    rows += [{"label": 0, "text1": text, "text2": "Where is the dog?"} for text in questions]
    path = copy.folder / "pairs.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    asked = ("--recipe", "demo", "--set", f"{STEP}.model={EMBEDDED}", "--kind", "sample")
    done = copy.command("calibrate", str(path), *asked, pool="local")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "recall 1.000" in done.stdout
    assert "is too small to prove a precision of 0.99" in done.stdout
    (stored,) = lake.read(THRESHOLDS).to_pylist()
    assert (stored["n_pairs"], stored["n_duplicates"], stored["recall"]) == (16, 8, 1.0)
    assert count(lake, "select count(*) from ledger where step = 'embeddings'") > 0
    copy.dedup(f"{STEP}.model={EMBEDDED}", recipe="demo")
    used = ask(
        lake,
        "select distinct json_extract_string(parameters_json, '$.threshold_origin') as origin, "
        "cast(json_extract_string(parameters_json, '$.threshold') as double) as threshold "
        "from runs where step = 'dedup_semantic' order by origin",
    )
    assert used == [
        {"origin": "calibrated", "threshold": stored["cosine"]},
        {"origin": "default", "threshold": 0.95},
    ]


def test_pairs_without_a_threshold_are_told_and_nothing_is_stored(copy: Site):
    path = copy.folder / "pairs.jsonl"
    path.write_text('{"label": 0, "text1": "one", "text2": "one"}\n')
    asked = ("--recipe", "demo", "--set", f"{STEP}.model={EMBEDDED}", "--kind", "sample")
    done = copy.command("calibrate", str(path), *asked, pool="local")
    assert done.returncode == 1
    assert "no threshold reaches a precision of 0.99" in done.stderr
    assert len(copy.lake().read(THRESHOLDS)) == 0


def test_plan_counts_the_texts_that_the_ledger_lacks(copy: Site):
    choices = (*TINY, "source.copies=0.5", f"{STEP}.model={EMBEDDED}", LOW)
    (planned,) = [plan for plan in copy.plan(*choices).calls if plan.step == "embeddings"]
    bought = copy.dedup(f"{STEP}.model={EMBEDDED}", LOW, recipe="demo")
    assert (planned.next, planned.known, planned.later) == (bought.calls_made, 0, 0)
    (after,) = [plan for plan in copy.plan(*choices).calls if plan.step == "embeddings"]
    assert (after.next, after.known) == (0, bought.calls_made)


def test_cap_stops_embeddings_and_what_was_bought_is_kept(copy: Site):
    from flows.dedup import DedupFailedError

    lake = copy.lake()
    before = len(lake.read(LEDGER))
    choices = (f"{STEP}.model={EMBEDDED}", LOW)
    with pytest.raises(DedupFailedError, match="the cap of 5 calls is reached"):
        copy.dedup(*choices, recipe="demo", budget_calls=5)
    assert len(lake.read(LEDGER)) == before + 5
    assert reported(lake) == {}
    rest = copy.dedup(*choices, recipe="demo")
    whole = count(lake, "select count(*) from ledger where step = 'embeddings'")
    assert rest.calls_made == whole - 5


def test_caps_hold_for_chains_and_embeddings_together(built: Site, site: Site):
    from flows.closing import PartsFailedError

    chains = len(built.lake().read(LEDGER))
    choices = (*TINY, "source.copies=0.5", f"{STEP}.model={EMBEDDED}", LOW)
    with pytest.raises(PartsFailedError, match=f"the cap of {chains + 5} calls is reached"):
        site.build(*choices, budget_calls=chains + 5)
    lake = site.lake()
    assert len(lake.read(LEDGER)) == chains + 5
    assert count(lake, "select count(*) from ledger where step = 'embeddings'") == 5


def test_removed_part_takes_its_embeddings_along(copy: Site):
    lake = copy.lake()
    copy.dedup(f"{STEP}.model={EMBEDDED}", LOW, recipe="demo")
    gone = lake.parts(SAMPLES)[0].part
    lake.drop(SAMPLES, gone)
    copy.dedup(f"{STEP}.model={EMBEDDED}", LOW, recipe="demo")
    assert not any(gone in part.part for part in lake.parts(EMBEDDINGS))
    unknown = """
        select count(*) from duplicates where method like '%_semantic'
        and item_kind = 'sample' and item_id not in (select sample_id from samples)
    """
    assert count(lake, unknown) == 0


def test_step_that_compares_nothing_is_refused(copy: Site):
    with pytest.raises(RecipeError, match="dedup_semantic compares nothing"):
        copy.dedup(f"{STEP}.enabled=true", recipe="demo")
