"""`sightline ledger`: spend in dollars, one call in full, rows out and in, fewer parts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.teacher.types import Request
from sightline.errors import UsageError
from sightline.schemas import LEDGER
from tests.infra.teachers import paid_row

DAY_US = 86_400_000_000


def call(number: int, **changes: object) -> LedgerRow:
    request = Request("m", None, (f"question {number}",), {}, "p", f"s{number}")
    row = replace(
        paid_row(number), request_json=request.request_json, request_key=request.request_key
    )
    return replace(row, **changes)  # type: ignore[arg-type]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake whose ledger has three parts."""
    monkeypatch.setenv("SIGHTLINE_STATE_DIR", str(tmp_path / "state"))
    made = Lake(tmp_path / "lake")
    with Ledger(made, tmp_path / "state" / "spool") as ledger:
        for row in (
            call(1, received_us=10 * DAY_US),
            call(2, received_us=11 * DAY_US, teacher="other", cost_usd=None),
            call(3, received_us=11 * DAY_US, step="judge", channel="batch"),
        ):
            ledger.record(row).result()
            ledger.flush()
    return made


def run(lake: Lake, *words: str) -> str:
    result = CliRunner().invoke(app, ["ledger", *words, "--lake", lake.uri], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def cells(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[2:-1]]


def test_spend_by_step_and_channel_sums_what_is_priced_and_counts_what_is_not(lake: Lake):
    assert cells(run(lake, "spend", "--by", "step,channel")) == [
        ["distill", "live", "2", "20", "10", "0.25", "1"],
        ["judge", "batch", "1", "10", "5", "0.25", "0"],
    ]


def test_spend_since_a_day_leaves_out_what_was_before(lake: Lake):
    assert cells(run(lake, "spend", "--by", "day", "--since", "1970-01-12")) == [
        ["1970-01-12", "2", "20", "10", "0.25", "1"]
    ]
    assert cells(run(lake, "spend", "--by", "")) == [["3", "30", "15", "0.5", "1"]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("spend", "--by", "step,model"), "'model'"),
        (("spend", "--since", "yesterday"), "YYYY-MM-DD"),
        (("show", "ab"), "at least 6"),
        (("show", "0" * 12), "found none"),
        (("import", "x", "--format", "csv"), "curator"),
        (("import", "x", "--format", "openai-batch"), "--requests"),
    ],
)
def test_wrong_words_are_refused_with_what_is_expected(
    lake: Lake, words: tuple[str, ...], reason: str
):
    with pytest.raises(UsageError, match=reason):
        run(lake, *words)


def test_show_gives_the_call_with_its_request_and_response(lake: Lake):
    (shown,) = json.loads(run(lake, "show", call(1).request_key[:10]))
    assert shown["request_json"]["messages"][0]["content"][0]["text"] == "question 1"
    assert shown["response_json"]["choices"][0]["message"]["content"] == "yes"


def test_exported_calls_of_one_lake_are_taken_by_another(lake: Lake, tmp_path: Path):
    file = tmp_path / "calls.jsonl"
    assert run(lake, "export", "--out", str(file)).startswith("3 calls")
    other = Lake(tmp_path / "other")
    assert run(other, "import", str(file)) == "3 responses found, 3 of them new\n"
    assert run(other, "import", str(file)) == "3 responses found, 0 of them new\n"
    assert cells(run(other, "spend", "--by", "channel"))[0][:2] == ["import", "3"]


def test_compact_joins_the_parts(lake: Lake):
    assert run(lake, "compact") == "3 parts became 1; 3 rows written again\n"
    assert [part.rows for part in lake.parts(LEDGER)] == [3]
