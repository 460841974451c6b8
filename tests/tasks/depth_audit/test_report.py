"""The page: escaped, without script, and curves whose places are those of their values."""

import json
from dataclasses import replace

import pytest

from tasks.depth_audit.charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Chart, Line, chart, ticks
from tasks.depth_audit.report import figures, render_audit, text_summary
from tasks.depth_audit.report_data import AuditData, Expectation, Model, NoiseResult

MODEL = Model("<b>evil</b>", "0123456789ab", "p")
KEYS = {"model": MODEL.model, "weights_sha": MODEL.weights_sha, "preproc_id": "p"}


def noise() -> NoiseResult:
    flips = [
        {**KEYS, "noise_sd": sd, "pairs": pairs, "margin_over": low, "margin_up_to": 2 * low,
         "n_pairs": 10, "flipped": sd * (1 - low), "reversed": None, "lost": 0.1}
        for sd in (0.1, 0.2) for pairs in ("decided", "ambiguous") for low in (0.1, 0.2)
    ]  # fmt: skip
    trust = [
        {**KEYS, "noise_sd": sd, "margin_over": low, "n_pairs": 10, "kept": 0.8 - low,
         "expected_error": sd / 4}
        for sd in (0.1, 0.2) for low in (0.1, 0.2)
    ]  # fmt: skip
    return NoiseResult(MODEL, tuple(flips), tuple(trust), {0.1: 0.05, 0.2: 0.1})


def data(model: str = MODEL.model) -> AuditData:
    human = {**KEYS, "model": model, "benchmark": "people", "n": 4, "agreement": 0.75,
             "low": 0.3, "high": 0.95}  # fmt: skip
    quality = {**KEYS, "model": model, "audit": "truth", "benchmark": "t", "pairs": None,
               "note": None, "n_items": 2, "n": 9, "pooled": 0.5}  # fmt: skip
    picture = dict.fromkeys(
        ("abs_rel", "delta1", "spearman", "point_order", "object_order", "decided_order",
         "object_kept", "object_error", "valid_share", "note")
    )  # fmt: skip
    return AuditData(
        lake="lake & co",
        noise=(noise(),),
        quality=(
            {**quality, "measure": "abs_rel", "bin_low": None, "bin_high": None, "mean": 0.125},
            {**quality, "measure": "point_order", "bin_low": 1.1, "bin_high": 1.25, "mean": 0.9},
        ),
        pictures=({**picture, **KEYS, "benchmark": "t", "item_id": "\x07<i>", "abs_rel": 0.125},),
        human=(
            {**human, "margin_over": None},
            {**human, "margin_over": 0.1},
        ),
        expectations=(
            Expectation(MODEL, "t", 0.05, 0.025, 0.1),
            Expectation(MODEL, "u", 0.5, None, 0.1),
        ),
        failures=({"step": "depth_truth", "item_id": "odd", "code": "row_malformed",
                   "detail": "<script>"},),
    )  # fmt: skip


def test_page_escapes_names_and_holds_no_script():
    page = render_audit(data())
    assert "<b>evil" not in page
    assert "&lt;b&gt;evil&lt;/b&gt; (01234567)" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "\x07" not in page
    assert page == render_audit(data())


def test_page_shows_curves_figures_and_the_caveat_of_embedded_weights():
    page = render_audit(data())
    assert page.count("<polyline") == 2 + 2 + 1 + 1
    assert "0.125" in page
    assert "beyond the sweep (0.100)" in page
    assert "Embedded weights" not in page
    assert "Embedded weights" in render_audit(data("embedded"))


def test_page_of_nothing_says_so():
    empty = AuditData("lake", (), (), (), (), (), ())
    assert "no depth maps with objects" in render_audit(empty)
    assert text_summary(empty) == []


def test_figures_are_those_of_the_page_as_json():
    found = json.loads(figures(data()))
    assert found["quality"][0]["mean"] == 0.125
    assert found["noise"][0]["shifts"] == {"0.1": 0.05, "0.2": 0.1}
    assert figures(data()) == figures(data())


def test_expected_share_is_read_off_the_sweep_from_nothing_at_no_error():
    assert noise().expected() == [(0.0, 0.0), (0.05, 0.025), (0.1, 0.05)]


def test_summary_says_what_was_found_in_words():
    lines = text_summary(data("embedded"))
    assert "real weights" in lines[0]
    assert "70.0 % of pairs are decided" in lines[1]
    assert "agrees with people on 75.0 % of 4 (30.0 to 95.0 %)" in lines[2]
    assert "turns 2.50 % of decided relations" in lines[3]
    assert "beyond the sweep" in lines[4]
    assert lines[5:] == ["not used: odd: <script>"]
    many = replace(data(), failures=data().failures * 5)
    assert text_summary(many)[-1] == "and 2 more rows"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0.2, [0, 0.05, 0.1, 0.15, 0.2]),
        (40, 100, [40, 50, 60, 70, 80, 90, 100]),
        (-0.5, 37, [0, 10, 20, 30]),
    ],
)
def test_ticks_are_round_and_within_the_axis(low: float, high: float, expected: list[float]):
    assert ticks(low, high) == pytest.approx(expected)


def test_points_lie_where_the_axes_say():
    drawn = Chart("t", "x", "y", (Line("a", ((0.0, 0.0), (2.0, 10.0))),))
    (first, last) = drawn.places(drawn.lines[0])
    assert first[0] == LEFT
    assert last == (WIDTH - RIGHT, TOP)
    assert drawn.x_ticks[0].at == LEFT
    assert first[1] == drawn.y_ticks[0].at == pytest.approx(HEIGHT - 44)
    assert drawn.path(drawn.lines[0]).count(",") == 2
    assert chart("t", ("x", "y"), [Line("none", ())]) is None
    assert chart("t", ("x", "y"), [Line("flat", ((1.0, 0.0),))]).y_ticks
