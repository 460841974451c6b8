"""`/v1/files` and `/v1/batches` as OpenAI serves them: shapes, statuses, paging, refusals.

Source: the OpenAI API reference, Files and Batch.  A batch is refused at its creation only for what
can be seen without reading its input; anything in the input is found while it is `validating`.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from infra.embedded_teacher.batch_state import Batch, BatchStore, Status
from infra.embedded_teacher.batches import AnswerOne, BatchDesk, BatchRunner
from infra.embedded_teacher.files import FileStore, StoredFile, read_upload
from infra.embedded_teacher.misbehaviour import Misbehaviour
from infra.embedded_teacher.wire import Answer, Scope, error, header, json_answer

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
PURPOSE: Final = "batch"
PAGE: Final = 20
MAX_PAGE: Final = 100

_NOT_FOUND: Final = error(404, "no such path", "not_found")
_ONE_FILE: Final = re.compile(r"/v1/files/(?P<id>[^/]+)(?P<content>/content)?")
_ONE_BATCH: Final = re.compile(r"/v1/batches/(?P<id>[^/]+)(?P<cancel>/cancel)?")


class BatchApi:
    """Answers everything under `/v1/files` and `/v1/batches`; state lies in one folder."""

    def __init__(self, state: Path, trouble: Misbehaviour, answer_one: AnswerOne) -> None:
        self._files, self._batches = FileStore(state / "files"), BatchStore(state / "batches")
        self._runner = BatchRunner(BatchDesk(self._batches, self._files, trouble, answer_one))

    def resume(self) -> None:
        """Go on with open batches; needs the running loop."""
        self._runner.resume()

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Return the answer to a request that is no chat completion."""
        path, query = scope["path"], parse_qs(scope["query_string"].decode("latin-1"))
        collections: dict[tuple[str, str], Callable[[], Answer]] = {
            ("POST", "/v1/files"): lambda: self._upload(header(scope, b"content-type"), body),
            ("GET", "/v1/files"): lambda: _page(self._files.newest_first(), query),
            ("POST", "/v1/batches"): lambda: self._create(body),
            ("GET", "/v1/batches"): lambda: _page(self._runner.newest_first(), query),
        }
        if serve := collections.get((scope["method"], path)):
            return serve()
        if match := _ONE_FILE.fullmatch(path):
            return self._file(scope["method"], match["id"], wants_content=bool(match["content"]))
        if match := _ONE_BATCH.fullmatch(path):
            return self._batch(scope["method"], match["id"], is_cancel=bool(match["cancel"]))
        return _NOT_FOUND

    def _upload(self, content_type: bytes, body: bytes) -> Answer:
        upload = read_upload(content_type, body)
        if upload is None:
            return error(400, "expected a form with `purpose` and `file`", "missing_parameter")
        if upload.purpose != PURPOSE:
            return error(400, f"`purpose` must be {PURPOSE!r} here", "invalid_purpose")
        return json_answer(self._files.add(upload).to_wire())

    def _file(self, method: str, file_id: str, *, wants_content: bool) -> Answer:
        stored = self._files.get(file_id)
        if stored is None:
            return error(404, f"No such File object: {file_id}", "not_found")
        if method == "DELETE" and not wants_content:
            return self._delete(file_id)
        if method != "GET":
            return _NOT_FOUND
        if wants_content:
            data = self._files.path(file_id).read_bytes()
            return Answer(200, data, content_type=b"application/octet-stream")
        return json_answer(stored.to_wire())

    def _delete(self, file_id: str) -> Answer:
        used = (batch.input_file_id for batch in self._runner.newest_first() if batch.is_open)
        if file_id in used:
            return error(409, "the file is the input of an open batch", "file_in_use")
        self._files.delete(file_id)
        return json_answer({"id": file_id, "object": "file", "deleted": True})

    def _create(self, body: bytes) -> Answer:
        try:
            asked = json.loads(body)
        except ValueError:
            return error(400, "the body is not JSON", "invalid_json")
        if (refused := self._refused(asked)) is not None:
            return refused
        batch = Batch(
            id=self._batches.new_id(),
            endpoint=ENDPOINT,
            input_file_id=asked["input_file_id"],
            completion_window=WINDOW,
            status=Status.VALIDATING,
            created_at=int(time.time()),
            metadata=asked.get("metadata"),
        )
        return json_answer(self._runner.start(self._batches.put(batch)).to_wire())

    def _refused(self, asked: Any) -> Answer | None:
        """Return why a batch cannot be created, null if it can."""
        if not isinstance(asked, dict) or not isinstance(asked.get("input_file_id"), str):
            return error(400, "`input_file_id` is required", "missing_required_parameter")
        expected = {"endpoint": ENDPOINT, "completion_window": WINDOW}
        for name, value in expected.items():
            if asked.get(name) != value:
                return error(400, f"`{name}` must be {value!r} here", "invalid_value")
        if self._files.get(asked["input_file_id"]) is None:
            return error(404, f"No such File object: {asked['input_file_id']}", "not_found")
        return None

    def _batch(self, method: str, batch_id: str, *, is_cancel: bool) -> Answer:
        batch = self._runner.get(batch_id)
        if batch is None:
            return error(404, f"No batch found with id '{batch_id}'.", "not_found")
        if method == "GET" and not is_cancel:
            return json_answer(batch.to_wire())
        if method != "POST" or not is_cancel:
            return _NOT_FOUND
        if not batch.is_open:
            said = f"Cannot cancel a batch with status '{batch.status}'."
            return error(409, said, "invalid_status")
        return json_answer(self._runner.cancel(batch).to_wire())


def _page(found: Iterable[StoredFile | Batch], query: dict[str, list[str]]) -> Answer:
    """Return a page of a list: those behind `after`, at most `limit`."""
    limit = query.get("limit", [str(PAGE)])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE:
        return error(400, f"`limit` must be from 1 to {MAX_PAGE}", "invalid_value")
    entries = list(found)
    if after := query.get("after", [""])[0]:
        ids = [entry.id for entry in entries]
        if after not in ids:
            return error(404, f"nothing with the id {after!r}", "not_found")
        entries = entries[ids.index(after) + 1 :]
    page = entries[: int(limit)]
    return json_answer(
        {
            "object": "list",
            "data": [entry.to_wire() for entry in page],
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
            "has_more": len(entries) > len(page),
        }
    )
