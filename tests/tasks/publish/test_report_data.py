"""What the page says equals what the lake holds, and the choice of samples is stable."""

from collections.abc import Callable

import pytest

from tasks.publish.choice import choose
from tasks.publish.report_data import CheckLine, ReportOptions, report_data
from tests.sql.lake_tables import connect
from tests.tasks.publish.demo_lake import DemoLake, drawn_scene, query_of, small_demo


def test_report_data_of_a_small_lake_counts_what_it_holds(query: Callable):
    data = report_data(query)
    assert data.facts.recipe == "demo"
    assert dict(data.totals) == {
        "images": 6, "samples": 7, "objects": 12, "depth_maps": 6, "chains": 5, "accepted_traces": 3
    }  # fmt: skip
    assert [(s.title, s.n_rows) for s in data.funnel][-1] == ("with a rationale of its own", 3)
    assert [(f.code, f.n_failures) for f in data.failures] == [("image_missing", 1)]
    assert [(c.n_calls, c.n_calls_reused, c.tokens_in) for c in data.costs] == [(7, 2, 6300)]


def test_report_data_sets_teachers_side_by_side(query: Callable):
    (line,) = report_data(query).side_by_side
    assert (line.role, line.teacher, line.n_chains) == ("teacher", "template-teacher", 5)
    assert (line.right_percent, line.accepted_percent) == (60.0, 60.0)
    assert (line.judge_score, line.needs_image_percent, line.n_asked_blind) == (None, None, 0)


def test_report_data_names_the_embedded_teacher_only_if_it_wrote(query: Callable):
    options = ReportOptions(embedded_teachers=frozenset({"template-teacher", "other"}))
    assert report_data(query, options=options).embedded == ("template-teacher",)
    assert report_data(query).embedded == ()


def test_report_data_of_an_empty_lake_is_empty():
    data = report_data(query_of(connect({})))
    assert (data.samples, data.failures, data.costs) == ((), (), ())
    assert [stage.n_rows for stage in data.funnel] == [0] * 11


def test_choice_shows_every_fate_and_prefers_rows_somebody_contradicts(query: Callable):
    kinds = {c.sample_id: c.kind for c in choose(query, 12)}
    assert kinds == {
        "zoomed": "accepted",
        "single": "accepted",
        "wrong": "rejected",
        "cut": "rejected",
        "here": "disputed",
        "there": "disputed",
    }


def test_choice_from_rows_in_any_order_is_the_same(query: Callable):
    rows = {table: listed[::-1] for table, listed in small_demo().rows.items()}
    assert choose(query_of(connect(rows)), 4) == choose(query, 4)


@pytest.mark.parametrize("most", [0, 1, 3, 5])
def test_choice_never_exceeds_what_was_asked_for(query: Callable, most: int):
    assert len(choose(query, most)) == most


def test_choice_without_any_chain_shows_unasked_samples():
    lake = DemoLake()
    lake.ask(drawn_scene("a"))
    assert [c.kind for c in choose(query_of(connect(lake.rows)), 5)] == ["unasked"]


def test_sample_of_a_zoomed_chain_shows_every_round_on_its_view(query: Callable):
    data = report_data(query)
    sample = next(s for s in data.samples if s.choice.sample_id == "zoomed")
    assert [(r.number, r.stage) for r in sample.rounds] == [(1, "zoom"), (2, "zoom"), (3, "final")]
    assert sample.rounds[0].roi == (0.1, 0.2, 0.7, 0.8)
    assert sample.original is not None
    drawn = [(f.kind, f.number) for f in sample.original.frames]
    assert drawn == [("truth", 0), ("roi", 1), ("roi", 2)]
    second = sample.original.frames[2].box
    assert second == pytest.approx((0.16, 0.26, 0.58, 0.74))
    assert [v.round for v in sample.verdicts] == [None, None, 1, 2]
    assert sample.depth is not None
    assert sample.masks is not None
    assert [o.category for o in sample.objects] == ["disc", "disc"]


def test_samples_beyond_the_size_limit_are_left_out(query: Callable):
    whole = report_data(query)
    limit = whole.samples[0].n_bytes + 10
    small = report_data(query, options=ReportOptions(max_bytes=limit))
    assert small.samples == whole.samples[:1]
    assert small.n_chosen == whole.n_chosen


def test_sample_whose_image_is_damaged_is_shown_without_it():
    lake = DemoLake()
    lake.single(drawn_scene("a", data=b"\xff\xd8\xff not a jpeg"), "two")
    (sample,) = report_data(query_of(connect(lake.rows))).samples
    assert sample.original is None
    assert sample.answer == "two"


def test_sample_with_an_endless_reply_shows_its_start():
    lake = DemoLake()
    lake.single(drawn_scene("a", answer="ha " * 9000), "ha " * 9000)
    (sample,) = report_data(query_of(connect(lake.rows))).samples
    assert len(sample.rounds[0].reasoning or "") < 4100


@pytest.mark.parametrize(
    ("severity", "rows", "state"),
    [("fail", 0, "passed"), ("warn", 0, "passed"), ("warn", 2, "warned"), ("fail", 1, "failed")],
)
def test_check_line_states_what_its_rows_mean(severity: str, rows: int, state: str):
    assert CheckLine("c", severity, "p", rows).state == state
