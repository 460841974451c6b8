"""The page: complete, self-contained, and safe against any text."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tasks.publish.report import render_report
from tasks.publish.report_data import CheckLine, ReportOptions, report_data
from tests.sql.lake_tables import connect
from tests.tasks.publish.demo_lake import DemoLake, drawn_scene, query_of, small_demo

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066 and 'quotes' & ampersands",
    "W" * 3000,
    "bell \x07 and null-like \x01",
]
VOID = {"meta", "img", "input", "link", "br", "rect"}


class Page(HTMLParser):
    """Elements, attributes and text of a page, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(query: Callable) -> str:
    options = ReportOptions(embedded_teachers=frozenset({"template-teacher"}))
    checks = [CheckLine("unique_keys", "fail", "keys are unique", 2)]
    return render_report(report_data(query, checks=checks, options=options))


def test_page_is_well_formed_and_closes_what_it_opens(text: str):
    assert Page(text).open == []


def test_page_loads_nothing_and_runs_nothing(text: str):
    page = Page(text)
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.elements}
    sources = [a["src"] or "" for a in page.all("img")]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    policies = [a.get("content") for a in page.all("meta") if "http-equiv" in a]
    assert policies
    assert (policies[0] or "").startswith("default-src 'none'; img-src data:;")


def test_page_describes_every_picture_and_labels_every_control(text: str):
    page = Page(text)
    assert all(a.get("alt") for a in page.all("img"))
    labelled = {a["for"] for a in page.all("label")}
    assert {a["id"] for a in page.all("input")} == labelled
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a["href"] or "").lstrip("#") for a in page.all("a")}
    assert targets <= set(ids)


def test_page_shows_funnel_cost_failures_checks_and_samples(text: str):
    shown = " ".join(" ".join(Page(text).texts).split())
    for expected in ("kept after dedup", "image_missing", "6,300", "$0.014", "unique_keys",
                     "answer_match", "2 rows.", "How many discs are there?"):  # fmt: skip
        assert expected in shown


def test_page_shows_second_asks_once_there_are_any():
    lake = small_demo()
    plain = Page(render_report(report_data(query_of(connect(lake.rows))))).texts
    assert "Teachers" in plain
    assert not {"Judge", "Needs image"} & set(plain)
    for rule, score in (("judge", 0.75), ("needs_image", 0.0)):
        verdict = {"subject_id": "zoomed-chain", "subject_kind": "chain", "rule": rule}
        lake.add("verdicts", **verdict, passed=True, score=score)
    asked = Page(render_report(report_data(query_of(connect(lake.rows))))).texts
    assert {"Judge", "Needs image", "0.75", "100.0 %"} <= set(asked)


def test_page_of_the_embedded_teacher_says_so(text: str, query: Callable):
    label = "Embedded template teacher: demo data, not a real model's reasoning"
    assert label in "".join(Page(text).texts)
    assert label not in "".join(Page(render_report(report_data(query))).texts)


def test_page_of_equal_data_is_equal(query: Callable):
    assert render_report(report_data(query)) == render_report(report_data(query))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_page_with_hostile_text_everywhere_shows_it_as_text(hostile: str):
    lake = DemoLake(teacher=hostile)
    scene = drawn_scene("a", question=hostile, domain=hostile, dataset=hostile, licence=hostile,
                        things=((hostile, (0.1, 0.1, 0.5, 0.5)),))  # fmt: skip
    lake.zoom(replace(scene, answer=hostile), [(0.1, 0.1, 0.9, 0.9)], hostile)
    lake.add("failures", step=hostile, item_id=hostile, code="image_missing", detail=hostile)
    lake.add("runs", run_id="r", step="ingest", recipe=hostile, rows_in=1)
    options = ReportOptions(title=hostile, embedded_teachers=frozenset({hostile}))
    checks = [CheckLine(hostile, "warn", hostile, 1)]
    query = query_of(connect(lake.rows))
    page = Page(render_report(report_data(query, checks=checks, options=options)))
    assert page.open == []
    assert not page.all("script")
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]
    visible = re.sub(r"[\x00-\x08\x0b-\x1f]", "\N{REPLACEMENT CHARACTER}", hostile)
    assert sum(visible in found for found in page.texts) >= 10


def test_page_of_an_empty_lake_renders():
    page = Page(render_report(report_data(query_of(connect({})))))
    assert "No teacher was asked." in page.texts
