"""Calls of an OpenAI batch, from its input file and its output file.

The output names a request by `custom_id` only, so the input is read first; of it nothing is kept
but what the key needs (the images' hashes, not their bytes).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from infra.ledger_io.foreign import IMPORT, LeftOut, PaidCall
from infra.teacher.batch.protocol import BatchAnswer, read_answer
from infra.teacher.types import ImagePart, Request
from infra.teacher.wire_parser import request_of_body
from sightline.errors import UsageError

CHAT_URL: Final = "/chat/completions"


def read_openai_batch(requests: Path, answers: Path) -> Iterator[PaidCall | LeftOut]:
    """Yield what each line of the output file holds, in its order.

    Raises:
        UsageError: a file cannot be read, or is no such file.
    """
    asked = dict(_requests(requests))
    for number, line in enumerate(_lines(answers), start=1):
        answer = read_answer(line)
        if answer is None:
            msg = f"{answers}:{number}: expected a line of a batch's output, found no custom_id"
            raise UsageError(msg)
        yield _paid(asked.get(answer.custom_id), answer)


def _paid(request: Request | str | None, answer: BatchAnswer) -> PaidCall | LeftOut:
    if not isinstance(request, Request):
        return LeftOut(answer.custom_id, request or "the input file has no such custom_id")
    if answer.status is None:
        return LeftOut(answer.custom_id, answer.reason or "it was never executed")
    return PaidCall(request, answer.status, answer.body, _created_us(answer.body), is_batch=True)


def _requests(path: Path) -> Iterator[tuple[str, Request | str]]:
    """Yield (custom_id, request) of each line; the reason in its place if it is not our kind."""
    for number, line in enumerate(_lines(path), start=1):
        entry = _parsed(line)
        custom_id, body = entry.get("custom_id"), entry.get("body")
        if not isinstance(custom_id, str) or not isinstance(body, dict):
            msg = f"{path}:{number}: expected a line of a batch's input: custom_id, url and body"
            raise UsageError(msg)
        yield custom_id, _request(custom_id, str(entry.get("url")), body)


def _request(custom_id: str, url: str, body: dict[str, Any]) -> Request | str:
    if not url.endswith(CHAT_URL):
        return f"it was sent to {url}, not to chat completions"
    try:
        request = request_of_body(body, subject_id=custom_id, prompt_id=IMPORT)
    except UsageError as error:
        return str(error)
    return replace(request, content=tuple(_light(part) for part in request.content))


def _light(part: str | ImagePart) -> str | ImagePart:
    return part if isinstance(part, str) else replace(part, data=b"")


def _created_us(body: str) -> int:
    created = _parsed(body.encode()).get("created")
    return int(created * 1_000_000) if isinstance(created, int | float) else 0


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as exc:
        msg = f"cannot read {path}: {exc.strerror}"
        raise UsageError(msg) from exc


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
