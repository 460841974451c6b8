"""Responses of elsewhere in the ledger: found by the same request, once, with their price."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.ledger.row import LedgerRow
from infra.ledger_io.importing import ImportJob, Source, import_responses, source_named
from infra.ledger_io.rows_file import export_rows
from infra.teacher.prices import Price, Prices
from infra.teacher.types import Request
from sightline.errors import UsageError
from sightline.outcomes import Outcome
from sightline.schemas import LEDGER
from tests.infra.teachers import image_part, paid_row

PRICES = Prices({"m": Price(input_usd=2.0, output_usd=4.0)})
PICTURE = image_part(b"\x89PNG picture")


def request(number: int, model: str = "m") -> Request:
    text = f"What is in picture {number}?"
    return Request(model, "Look.", (text, PICTURE), {"temperature": 0.5}, "p", f"s{number}")


def completion(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m-2024",
        "choices": [{"message": {"content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000},
    }


def batch_input(path: Path, asked: dict[str, Request]) -> Path:
    lines = [
        {"custom_id": name, "method": "POST", "url": "/v1/chat/completions"}
        | {"body": json.loads(one.wire_body())}
        for name, one in asked.items()
    ]
    return write_lines(path, lines)


def batch_output(path: Path, said: dict[str, dict[str, Any]], status: int = 200) -> Path:
    lines = [
        {"custom_id": name, "response": {"status_code": status, "body": body}, "error": None}
        for name, body in said.items()
    ]
    return write_lines(path, lines)


def write_lines(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(Lake(tmp_path / "lake"), tmp_path / "spool") as opened:
        yield opened


def test_batch_answers_are_found_by_the_request_that_a_recipe_sends(ledger: Ledger, tmp_path: Path):
    asked = {f"r{n}": request(n) for n in range(3)}
    said = {"r2": completion("two"), "r0": completion("ze", "length"), "r1": completion("one")}
    job = ImportJob(
        batch_output(tmp_path / "out", said),
        Source.OPENAI_BATCH,
        batch_input(tmp_path / "in", asked),
    )
    done = import_responses(ledger, job, PRICES)
    assert (done.found, done.new, done.left_out) == (3, 3, {})
    row = ledger.lookup(*request(0).call_key)
    assert row is not None
    assert (row.outcome, row.channel, row.teacher, row.subject_id) == (
        Outcome.TRUNCATED, "import", "m", "r0",
    )  # fmt: skip
    assert row.cost_usd == (2.0 + 2.0) / 2
    assert row.request_json == request(0).request_json
    assert row.received_us == 1_700_000_000_000_000


def test_import_repeated_adds_nothing(ledger: Ledger, tmp_path: Path):
    job = ImportJob(
        batch_output(tmp_path / "out", {"r1": completion("one")}),
        Source.OPENAI_BATCH,
        batch_input(tmp_path / "in", {"r1": request(1)}),
    )
    assert import_responses(ledger, job, PRICES).new == 1
    version = ledger.lake.snapshot(LEDGER).version
    assert import_responses(ledger, job, PRICES).new == 0
    assert ledger.lake.snapshot(LEDGER).version == version


def test_equal_requests_of_a_batch_are_draws(ledger: Ledger, tmp_path: Path):
    job = ImportJob(
        batch_output(tmp_path / "out", {"a": completion("first"), "b": completion("second")}),
        Source.OPENAI_BATCH,
        batch_input(tmp_path / "in", {"a": request(1), "b": request(1)}),
    )
    assert import_responses(ledger, job, PRICES).new == 2
    found = [ledger.lookup(request(1).request_key, draw) for draw in (0, 1, 2)]
    assert ["first" in row.response_json for row in found if row] == [True, False]
    assert found[2] is None


def test_teacher_renames_the_model_so_that_a_recipe_finds_the_answer(
    ledger: Ledger, tmp_path: Path
):
    job = ImportJob(
        batch_output(tmp_path / "out", {"a": completion("yes")}),
        Source.OPENAI_BATCH,
        batch_input(tmp_path / "in", {"a": request(1, model="m-2024-08-06")}),
        teacher="m",
    )
    import_responses(ledger, job, PRICES)
    assert ledger.lookup(*request(1).call_key) is not None


def test_entries_without_a_paid_answer_are_left_out_with_their_reasons(
    ledger: Ledger, tmp_path: Path
):
    asked = {"ok": request(1), "tools": request(2)}
    requests = batch_input(tmp_path / "in", asked)
    entry = json.loads(requests.read_text().splitlines()[1])
    entry["body"]["messages"][1]["name"] = "someone"
    write_lines(requests, [json.loads(requests.read_text().splitlines()[0]), entry])
    answers = batch_output(tmp_path / "out", {"ok": {"error": {"message": "no"}}}, status=400)
    with answers.open("a") as file:
        for name in ("tools", "unknown"):
            file.write(json.dumps({"custom_id": name, "response": {"status_code": 200}}) + "\n")
    done = import_responses(ledger, ImportJob(answers, Source.OPENAI_BATCH, requests), PRICES)
    assert done.found == 0
    assert sorted(done.left_out.values()) == [1, 1, 1]
    assert any("HTTP 400" in reason for reason in done.left_out)
    assert any("name" in reason for reason in done.left_out)


def curator_line(number: int, **changes: Any) -> dict[str, Any]:
    messages = json.loads(request(number).wire_body())["messages"]
    return {
        "response_message": "yes",
        "response_errors": None,
        "raw_response": completion("yes"),
        "raw_request": None,
        "generic_request": {
            "model": "m", "messages": messages, "generation_params": {"temperature": 0.5},
        },
        "created_at": "2025-01-02T03:04:05",
        "finished_at": "2025-01-02T03:04:07.5",
        "response_cost": 0.125,
    } | changes  # fmt: skip


def test_curator_cache_gives_its_responses_with_their_own_cost(ledger: Ledger, tmp_path: Path):
    sent = json.loads(request(2).wire_body())
    lines = [
        curator_line(1),
        curator_line(9, raw_request=sent),
        curator_line(3, raw_response=None, response_errors=["429"]),
    ]
    write_lines(tmp_path / "responses_0.jsonl", lines)
    done = import_responses(ledger, ImportJob(tmp_path, Source.CURATOR), PRICES)
    assert (done.found, done.new, sum(done.left_out.values())) == (2, 2, 1)
    row = ledger.lookup(*request(1).call_key)
    assert row is not None
    assert (row.cost_usd, row.latency_ms) == (0.125, 2500.0)
    assert ledger.lookup(*request(2).call_key) is not None


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_exported_rows_come_back_the_same_in_another_lake(
    ledger: Ledger, tmp_path: Path, form: str
):
    import hashlib
    from dataclasses import replace

    rows = [
        replace(
            paid_row(number),
            request_json=f'{{"n":{number}}}',
            request_key=hashlib.sha256(f'{{"n":{number}}}'.encode()).hexdigest(),
            received_us=1_700_000_000_000_000 - number,
        )
        for number in range(5)
    ]
    for row in rows:
        ledger.record(row).result()
        ledger.flush()
    path = tmp_path / "out" / "rows"
    assert export_rows(ledger.lake, path, form) == 5
    assert export_rows(ledger.lake, tmp_path / "none", form, teacher="other") == 0
    with Ledger(Lake(tmp_path / "other"), tmp_path / "spool") as other:
        assert import_responses(other, ImportJob(path, Source.SIGHTLINE), PRICES).new == 5
        found = [LedgerRow.from_columns(r) for r in other.lake.read(LEDGER).to_pylist()]
    assert found == [replace(row, channel="import") for row in reversed(rows)]


def test_export_in_slices_is_whole_and_in_order(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from dataclasses import replace

    for number in range(10):  # three rows of one instant
        at_us = 1_700_000_000_000_000 + max(number, 2)
        ledger.record(replace(paid_row(number), received_us=at_us)).result()
    ledger.flush()
    monkeypatch.setattr("infra.ledger_io.rows_file.SLICE_ROWS", 2)
    assert export_rows(ledger.lake, tmp_path / "rows", "jsonl") == 10
    found = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    order = [(row["received_us"], row["request_key"]) for row in found]
    assert order == sorted(order)
    assert len(set(order)) == 10


def test_exported_row_whose_request_was_changed_is_refused(ledger: Ledger, tmp_path: Path):
    ledger.record(paid_row(1)).result()
    ledger.flush()
    export_rows(ledger.lake, tmp_path / "rows", "jsonl")
    with pytest.raises(UsageError, match="not the sha256"):
        import_responses(ledger, ImportJob(tmp_path / "rows", Source.SIGHTLINE), PRICES)


def test_unknown_formats_name_the_known_ones_and_data_designer_says_why():
    with pytest.raises(UsageError, match="openai-batch"):
        source_named("csv")
    with pytest.raises(UsageError, match="neither the model"):
        source_named("data-designer")


def test_batch_without_its_input_file_is_refused(ledger: Ledger, tmp_path: Path):
    with pytest.raises(UsageError, match="--requests"):
        import_responses(ledger, ImportJob(tmp_path / "x", Source.OPENAI_BATCH), PRICES)
