"""A lake against benchmarks: what is found, resumed, dropped, certified and forgotten.

One comparison is shared; tests that change something work on a copy of its lake.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.certificate import write_certificate
from flows.cli import app
from flows.dataset_parts import inputs_of
from flows.forgetting import forget_benchmark
from flows.kept_certificates import kept_certificate
from infra.images.decode import decode
from infra.images.pixels import encode_jpeg
from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.errors import UsageError
from sightline.schemas import BENCHMARKS, CONTAMINATION, FAILURES, IMAGE_KEYS, IMAGES, SAMPLES
from tasks.decontaminate.certificate import verified
from tasks.decontaminate.certificate_page import page
from tests.flows.artifacts import newest_artifact, newest_table
from tests.flows.exams import add, decontaminate, exam_of
from tests.flows.site import Site
from tests.flows.tables import ask, broken_checks, count, table_rows

if TYPE_CHECKING:
    from flows.decontaminate import DecontaminateSummary

pytestmark = pytest.mark.server

OURS, ASKED = 12, 8
"""Questions in the lake, and those of them that stand in the benchmark."""
CROPPED = 3


@dataclass(frozen=True)
class Done:
    """A lake that was compared with one benchmark, which also holds a row that cannot be read."""

    site: Site
    exam: Path
    data: Path
    summary: "DecontaminateSummary"

    @property
    def lake(self) -> Lake:
        return self.site.lake()


@pytest.fixture(scope="module")
def done(shared_site: Site, real_data: Path) -> Done:
    lake, data = shared_site.lake(), real_data / "mathvision"
    add(lake, data, "mathvision", OURS)
    cropped = shared_site.folder / "cropped"
    add(lake, crops(real_data / "coco", cropped), "cropped", CROPPED)
    exam = exam_of(data, shared_site.folder / "exam", ASKED, *originals(cropped), "{broken")
    summary = decontaminate(shared_site, exam, name="exam", version="v1")
    return Done(shared_site, exam, data, summary)


@pytest.fixture
def copied(done: Done, tmp_path: Path) -> Done:
    """The same in a place of its own."""
    shutil.copytree(done.site.folder / "lake", tmp_path / "lake")
    return Done(Site(tmp_path, done.site.prefect_url), done.exam, done.data, done.summary)


def crops(coco: Path, home: Path) -> Path:
    """Return a dataset of photos cut to 85 %, with the names of the photos in its rows."""
    home.mkdir()
    rows = []
    for picture in sorted((coco / "images").iterdir())[:CROPPED]:
        rgb = decode(picture.read_bytes()).rgb
        height, width = (round(0.85 * side) for side in rgb.shape[:2])
        cut = np.ascontiguousarray(rgb[-height:, :width])
        (home / picture.name).write_bytes(encode_jpeg(cut, 90))
        question = f"Which of the things in this photo {picture.stem} stands nearest to the camera?"
        row = {"id": picture.stem, "question": question, "answer": "none", "image": picture.name}
        rows.append(row | {"original": str(picture)})
    (home / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return home


def originals(cropped: Path) -> list[str]:
    """Return the benchmark's lines: the same questions of the whole photos."""
    lines = []
    for row in map(json.loads, (cropped / "samples.jsonl").read_text().splitlines()):
        target = cropped.parent / "exam" / "images" / row["image"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(row["original"], target)
        lines.append(json.dumps(row | {"image": f"images/{row['image']}"}))
    return lines


def test_contaminated_samples_are_found_and_not_paid_for(done: Done):
    lake, found = done.lake, done.summary
    assert (found.compared, found.reused, found.dropped, found.under_review) == (4, 0, 8, CROPPED)
    assert ask(lake, "select name, version, n_items, n_images from benchmarks") == [
        {"name": "exam", "version": "v1", "n_items": 12, "n_images": ASKED + CROPPED}
    ]
    assert [row["code"] for row in lake.read(FAILURES).to_pylist()] == ["row_malformed"]
    dropped = [len(i.dropped) for i in inputs_of(lake, ["mathvision-00000001"]).values()]
    assert dropped == [ASKED]
    assert broken_checks(lake).keys() <= {"runs_cover_parts"}, "ingest is not recorded here"
    rows, _ = newest_table("contamination")
    assert {row["rule"] for row in rows} >= {"picture_and_question", "image_pixels", "image_crop"}
    assert "Decontamination certificate" in str(newest_artifact("certificate").data)


def test_crops_of_a_benchmark_are_shown_with_evidence_and_dropped_where_asked(
    done: Done, copied: Done
):
    sql = """
        select rule, decision, count(*) as n, min(evidence) as evidence from contamination
        where rule in ('image_crop', 'view_and_question') group by all order by rule
    """
    shown = ask(done.lake, sql)
    assert [(r["rule"], r["decision"], r["n"]) for r in shown] == [
        ("image_crop", "review", CROPPED),
        ("view_and_question", "review", CROPPED),
    ]
    assert all("ours shows crop:" in row["evidence"] for row in shown)
    assert done.lake.read(IMAGE_KEYS).num_rows == OURS + CROPPED
    with copied.site.surroundings(copied.lake.uri, {"pool": "local"}):
        from flows.benchmarks import Against
        from flows.decontaminate import decontaminate as flow

        again = flow(
            lake=copied.lake.uri,
            against=Against(str(copied.exam), name="exam", version="v1"),
            decisions=["view_and_question=drop"],
        )
    assert again.dropped == ASKED + CROPPED


def test_nothing_is_compared_twice_and_new_rows_cost_themselves(copied: Done, real_data: Path):
    before = table_rows(copied.lake, "contamination")
    again = decontaminate(copied.site, None)
    assert (again.compared, again.reused) == (0, 4)
    assert again.certificate == copied.summary.certificate
    add(copied.lake, real_data / "tabmwp", "tabmwp", 5)
    more = decontaminate(copied.site, copied.exam, name="exam", version="v1")
    assert (more.compared, more.reused, more.dropped) == (2, 4, ASKED)
    assert table_rows(copied.lake, "contamination") == before


def test_other_rules_replace_what_was_found_and_a_part_that_went_takes_its_rows(copied: Done):
    lake = copied.lake
    decontaminate(copied.site, copied.exam, "ngram13", name="exam", version="v1")
    assert set(lake.read(CONTAMINATION)["rule"].to_pylist()) == {"ngram13"}
    assert lake.read(BENCHMARKS).num_rows == 1
    lake.drop(SAMPLES, "mathvision-00000001", "cropped-00000001")
    decontaminate(copied.site, None)
    assert lake.read(CONTAMINATION).num_rows == 0


def test_certificate_says_what_was_not_compared(copied: Done, real_data: Path):
    add(copied.lake, real_data / "tabmwp", "tabmwp", 5)
    out = copied.site.folder / "certificate.json"
    with copied.site.surroundings(copied.lake.uri, {}):
        said = write_certificate(copied.lake.uri, "current", out)
    text = out.read_text()
    assert verified(text)
    content = json.loads(text)["content"]
    (benchmark,) = content["benchmarks"]
    assert not content["is_complete"]
    assert benchmark["open"] == ["images/tabmwp-00000001", "samples/tabmwp-00000001"]
    assert benchmark["compared"]["samples"]["compared"] == OURS + CROPPED
    assert benchmark["not_compared"]["items_with_problems"] == 1
    assert benchmark["rules"]["picture_and_question"]["by_decision"] == {"drop": ASKED}
    assert content["outcome"]["samples_dropped"] == ASKED
    sha = json.loads(text)["sha256"]
    assert sha in said
    assert verified(copied.lake.objects.get(f"certificates/{sha}.json").decode())


def test_a_forgotten_benchmark_leaves_the_lake_and_old_certificates_say_so(copied: Done):
    lake, sha = copied.lake, copied.summary.certificate
    with copied.site.surroundings(lake.uri, {}):
        assert "exam v1" in forget_benchmark("exam@v1", lake.uri)
        assert lake.read(BENCHMARKS).num_rows == lake.read(CONTAMINATION).num_rows == 0
        assert list(lake.objects.list("benchmarks/")) == []
        assert list(lake.objects.list("decontamination/")) == []
        (inputs,) = inputs_of(lake, ["mathvision-00000001"]).values()
        assert not inputs.dropped
        assert broken_checks(lake).keys() <= {"runs_cover_parts"}
        stored = lake.objects.get(f"certificates/{sha}.json").decode()
        assert verified(stored)
        assert json.loads(stored)["beside"]["forgotten"][0]["version"] == "v1"
        assert "has forgotten since: exam v1" in write_certificate(lake.uri, "", None, sha[:12])
        with pytest.raises(UsageError, match=r"no such benchmark.*none"):
            forget_benchmark("exam", lake.uri)
    again = decontaminate(copied.site, copied.exam, name="exam", version="v1")
    assert (again.compared, again.certificate) == (4, sha)
    assert "forgotten since" not in page(kept_certificate(lake, sha))


def test_one_of_two_versions_is_forgotten_and_the_other_stays(copied: Done):
    lake = copied.lake
    decontaminate(copied.site, copied.exam, "image_pixels", name="exam", version="v2")
    with copied.site.surroundings(lake.uri, {}):
        with pytest.raises(UsageError, match=r"several versions.*exam@v1, exam@v2"):
            forget_benchmark("exam", lake.uri)
        forget_benchmark("exam@v1", lake.uri)
    assert ask(lake, "select version from benchmarks") == [{"version": "v2"}]
    assert set(lake.read(CONTAMINATION)["rule"].to_pylist()) == {"image_pixels"}
    assert decontaminate(copied.site, None).reused == 4


def test_a_dataset_of_the_lake_is_a_benchmark_too(copied: Done, real_data: Path):
    other = Site(copied.site.folder / "other", copied.site.prefect_url)
    add(other.lake(), real_data / "mathvision", "mathvision", OURS + 2)
    found = decontaminate(copied.site, other.folder / "lake", name="other")
    assert found.dropped == OURS
    own = decontaminate(copied.site, copied.site.folder / "lake")
    assert own.dropped == OURS  # of the comparison before: nothing is a match of itself
    lake = copied.lake
    assert count(lake, "select count(*) as n from benchmarks where name = 'lake'") == 1
    crops_of_other = "select count(*) from contamination where rule in ('image_crop', 'image_flip')"
    assert count(lake, crops_of_other) == CROPPED


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["decontaminate", "--against", "nowhere.jsonl"], "nowhere.jsonl"),
        (["decontaminate", "--against", "odd.jsonl"], "'frage'"),
        (["decontaminate", "--against", "odd.jsonl", "--rule", "ngram9"], "ngram13"),
        (["decontaminate", "--against", "odd.jsonl", "--dataset", "x"], "--dataset"),
        (["decontaminate", "--against", "odd.jsonl", "--forget", "x"], "--forget"),
        (["decontaminate", "--name", "exam"], "--against"),
        (["decontaminate", "--rule", "ngram13"], "--against"),
        (["decontaminate"], "--against"),
        (["decontaminate", "--forget", "exam"], "exam"),
        (["certificate", "--release", "v9"], "current"),
        (["certificate", "--sha256", "abc"], "none"),
        (["certificate", "--out", "page.html"], ".json"),
    ],
)
def test_wrong_use_says_what_is_known_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
):
    (tmp_path / "odd.jsonl").write_text('{"frage": "Was?"}\n')
    monkeypatch.chdir(tmp_path)
    with Site(tmp_path, "").surroundings(str(tmp_path / "lake"), {}):
        error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UsageError)
    assert named in str(error)
    assert not Lake(tmp_path / "lake", StorageOptions()).parts(IMAGES)
