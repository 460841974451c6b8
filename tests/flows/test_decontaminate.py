"""A lake against benchmarks: what is found, resumed, dropped and certified."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.dataset_parts import inputs_of
from infra.lake.lake import Lake
from sightline.schemas import BENCHMARKS, CONTAMINATION, FAILURES, IMAGES, SAMPLES
from tasks.decontaminate.certificate import verified
from tests.factories import commit
from tests.flows.artifacts import newest_artifact, newest_table
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, count, table_rows
from tests.tasks.ingest.ingested import ingest

pytestmark = pytest.mark.server


def run(site: Site, path: Path | None, *rules: str, **more: Any) -> Any:
    from flows.benchmarks import Against
    from flows.decontaminate import decontaminate

    uri = str(site.folder / "lake")
    against = None if path is None else Against(str(path), **more)
    with site.surroundings(uri, {"pool": "local"}):
        return decontaminate(lake=uri, against=against, rules=list(rules))


def add(lake: Lake, data: Path, name: str, n: int | None = None) -> None:
    """Ingest a folder of real data as one part of a dataset of its own."""
    options = {
        "path": str(data / name / "samples.jsonl"),
        "images": str(data / name),
        "columns": {"question": "question", "answer": "answer", "image": "image"},
    } | ({} if n is None else {"limit": n})
    found = ingest("table", options)
    part = f"{name.replace('_', '-')}-00000001"
    commit(lake, IMAGES, found.images, part=part)
    commit(lake, SAMPLES, found.samples, part=part)


@pytest.fixture
def lake(site: Site, real_data: Path) -> Lake:
    """Forty MATH-Vision questions."""
    lake = site.lake()
    add(lake, real_data, "mathvision", 40)
    return lake


@pytest.fixture
def exam(site: Site, real_data: Path) -> Path:
    """A benchmark: thirty of these questions with their pictures, and a row that cannot be read."""
    folder = site.folder / "exam"
    shutil.copytree(real_data / "mathvision" / "images", folder / "images")
    lines = (real_data / "mathvision" / "samples.jsonl").read_text().splitlines()[:30]
    (folder / "exam.jsonl").write_text("\n".join([*lines, "{broken"]))
    return folder / "exam.jsonl"


def test_contaminated_samples_are_found_and_nothing_is_compared_twice(
    site: Site, lake: Lake, exam: Path, real_data: Path
):
    first = run(site, exam, name="exam", version="v1")
    assert (first.compared, first.reused, first.dropped) == (2, 0, 30)
    assert ask(lake, "select name, version, n_items, n_images from benchmarks") == [
        {"name": "exam", "version": "v1", "n_items": 31, "n_images": 30}
    ]
    assert [row["code"] for row in lake.read(FAILURES).to_pylist()] == ["row_malformed"]
    (inputs,) = inputs_of(lake, ["mathvision-00000001"]).values()
    assert len(inputs.dropped) == 30, "what a benchmark holds is not paid for"
    before = table_rows(lake, "contamination")

    again = run(site, None)
    assert (again.compared, again.reused) == (0, 2)
    assert again.certificate == first.certificate

    add(lake, real_data, "tabmwp", 10)
    more = run(site, exam, name="exam", version="v1")
    assert (more.compared, more.reused, more.dropped) == (2, 2, 30)
    assert table_rows(lake, "contamination") == before
    assert broken_checks(lake).keys() <= {"runs_cover_parts"}
    rows, _ = newest_table("contamination")
    assert {row["rule"] for row in rows} >= {"picture_and_question", "image_pixels"}
    assert "Decontamination certificate" in str(newest_artifact("certificate").data)


def test_other_rules_replace_what_was_found_and_a_part_that_went_takes_its_rows(
    site: Site, lake: Lake, exam: Path
):
    run(site, exam, name="exam")
    run(site, exam, "ngram13", name="exam")
    assert set(lake.read(CONTAMINATION)["rule"].to_pylist()) == {"ngram13"}
    assert lake.read(BENCHMARKS).num_rows == 1
    lake.drop(SAMPLES, "mathvision-00000001")
    run(site, None)
    assert lake.read(CONTAMINATION).num_rows == 0


def test_certificate_says_what_was_not_compared(
    site: Site, lake: Lake, exam: Path, real_data: Path
):
    run(site, exam, name="exam")
    add(lake, real_data, "tabmwp", 10)
    done = site.command("certificate", "--out", "certificate.json")
    assert done.returncode == 0, done.stderr
    text = (site.folder / "certificate.json").read_text()
    assert verified(text)
    content = json.loads(text)["content"]
    (benchmark,) = content["benchmarks"]
    assert not content["is_complete"]
    assert benchmark["open"] == ["images/tabmwp-00000001", "samples/tabmwp-00000001"]
    assert benchmark["compared"]["samples"]["compared"] == 40
    assert benchmark["not_compared"]["items_with_problems"] == 1
    assert benchmark["rules"]["picture_and_question"]["by_decision"] == {"drop": 30}
    assert content["outcome"]["samples_dropped"] == 30
    sha = json.loads(text)["sha256"]
    assert verified(lake.objects.get(f"certificates/{sha}.json").decode())


def test_a_dataset_of_the_lake_is_a_benchmark_too(site: Site, lake: Lake, real_data: Path):
    add(lake, real_data, "tabmwp", 10)
    other = Site(site.folder / "other", site.prefect_url)
    add(other.lake(), real_data, "mathvision", 50)
    done = run(site, other.folder / "lake", name="other")
    assert done.dropped == 40
    own = run(site, site.folder / "lake")
    assert own.dropped == 40  # of the first comparison: nothing is a match of itself
    assert count(lake, "select count(*) as n from benchmarks where name = 'lake'") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--against", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--against", "odd.jsonl"], "'frage'"),
        (["--against", "odd.jsonl", "--rule", "ngram9"], "ngram13"),
        (["--against", "odd.jsonl", "--dataset", "x"], "--dataset"),
        (["--name", "exam"], "--against"),
        ([], "--against"),
    ],
)
def test_wrong_use_says_what_is_known(site: Site, arguments: list[str], named: str):
    (site.folder / "odd.jsonl").write_text('{"frage": "Was?"}\n')
    done = site.command("decontaminate", *arguments)
    assert done.returncode == 2, done.stderr
    assert named in done.stderr.splitlines()[-1]


def test_an_unknown_release_is_an_error(site: Site, lake: Lake):
    done = site.command("certificate", "--release", "v9", lake=lake.uri)
    assert done.returncode == 2
    assert "current" in done.stderr
