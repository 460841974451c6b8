"""Calls of a Bespoke Curator cache: the files `responses_<n>.jsonl` of one run's folder.

Read from the public source of bespokelabs-curator (`types/generic_response.py`): a line holds the
endpoint's answer in `raw_response`, and what was sent in `raw_request`, which is null for batches;
there the request is put together from `generic_request` as Curator does.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.ledger_io.foreign import IMPORT, LeftOut, PaidCall
from infra.teacher.reply import HTTP_OK
from infra.teacher.wire_parser import request_of_body
from sightline.errors import UsageError

RESPONSES: Final = "responses_*.jsonl"


def read_curator(path: Path) -> Iterator[PaidCall | LeftOut]:
    """Yield what each line of a responses file, or of all in a folder, holds.

    Raises:
        UsageError: there is no such file, or a line is no JSON object.
    """
    files = sorted(path.glob(RESPONSES)) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        msg = f"expected a folder with {RESPONSES}, or such a file, found none at {path}"
        raise UsageError(msg)
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _paid(f"{file.name}:{number}", _entry(file, number, line))


def _entry(file: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as exc:
        msg = f"{file}:{number}: expected a JSON object: {exc}"
        raise UsageError(msg) from exc
    if not isinstance(entry, dict) or "generic_request" not in entry:
        msg = f"{file}:{number}: expected a response of Curator with a `generic_request`"
        raise UsageError(msg)
    return entry


def _paid(name: str, entry: Mapping[str, Any]) -> PaidCall | LeftOut:
    answer = entry.get("raw_response")
    if entry.get("response_errors") or not isinstance(answer, dict):
        return LeftOut(name, "it is an error, not a response")
    try:
        request = request_of_body(_body(entry), subject_id=name, prompt_id=IMPORT)
    except UsageError as error:
        return LeftOut(name, str(error))
    began, ended = _time_us(entry.get("created_at")), _time_us(entry.get("finished_at"))
    cost_usd = entry.get("response_cost")
    text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
    return PaidCall(
        request=request,
        status=HTTP_OK,
        body=text.encode("utf-8", "backslashreplace").decode("utf-8"),
        received_us=ended,
        latency_ms=max(0, ended - began) / 1000,
        cost_usd=float(cost_usd) if isinstance(cost_usd, int | float) else None,
    )


def _body(entry: Mapping[str, Any]) -> dict[str, Any]:
    sent = entry.get("raw_request")
    if isinstance(sent, dict):
        return sent
    asked = entry["generic_request"]
    if not isinstance(asked, dict):
        return {}
    given = asked.get("generation_params")
    named = {"model": asked.get("model"), "messages": asked.get("messages")}
    return named | (given if isinstance(given, dict) else {})


def _time_us(value: Any) -> int:
    """Return an ISO time as microseconds since 1970; Curator writes local times as they come."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000)
