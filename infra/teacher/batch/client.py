"""HTTP client of `/files` and `/batches`; beside `infra.teacher.client` the only user of `openai`.

Reading may be repeated freely, so the SDK retries it; an upload that arrived twice costs nothing
either.  *Creating a batch is buying*: it is sent once, and when no answer came back nobody knows
whether it was bought.  That is an error of its own, `UnsureError`, after which only the endpoint's
list of batches can tell (`find`).

Exceptions of the SDK hold the request with its key, so none of them leaves this file.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx2
import openai

from infra.teacher.address import checked_key, is_loopback, printable_address
from infra.teacher.batch.protocol import RemoteBatch, read_batch
from infra.teacher.reply import error_message
from sightline.errors import TeacherError

T = TypeVar("T")

TAG: Final = "sightline"
"""Metadata key that holds our own key of a batch."""
BATCHES_PATH: Final = "/batches"
FILES_PATH: Final = "/files"
WINDOW: Final = "24h"
"""How long the endpoint may take; the only value that the protocol knows."""
LIST_LIMIT: Final = 100
MAX_LISTED: Final = 10_000
"""Batches looked through for one of ours; it is among the newest."""
NO_KEY: Final = "none"
SERVER_ERROR: Final = 500
THROTTLED: Final = 429
PASSING_STATUS: Final = frozenset({408, 409, THROTTLED})
"""Beside 5xx: another time the endpoint may say something else."""


class UnsureError(TeacherError):
    """A batch was sent and no answer came: it may exist and may be billed."""


class UnreachableError(TeacherError):
    """The endpoint does not answer just now; asking again later may help."""


@dataclass(frozen=True, slots=True)
class BatchEndpoint:
    """Where batches go.

    Attributes:
        base_url: up to and including `/v1`.
        models: those it serves; null is any.
        api_key: never printed; null for endpoints that want none.
        url: what each line of a file names as its address (Azure: `/chat/completions`).
        timeout_s: for one exchange without progress; an upload may take many times as long.
        retries: of what may be repeated freely, with waits that double.
    """

    base_url: str
    models: tuple[str, ...] | None = None
    api_key: str | None = field(default=None, repr=False)
    url: str = "/v1/chat/completions"
    timeout_s: float = 300.0
    retries: int = 5

    def serves(self, model: str) -> bool:
        """Return whether calls for `model` may go there."""
        return self.models is None or model in self.models


class BatchClient:
    """Files and batches of one endpoint; safe to share between threads."""

    def __init__(self, endpoint: BatchEndpoint) -> None:
        self.address = printable_address(endpoint.base_url)
        self.url = endpoint.url
        self._secret = checked_key(endpoint.api_key)
        self._reading = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=self._secret or NO_KEY,
            max_retries=endpoint.retries,
            http_client=openai.DefaultHttpxClient(
                timeout=httpx2.Timeout(endpoint.timeout_s, connect=10.0),
                trust_env=not is_loopback(endpoint.base_url),
            ),
        )
        self._once = self._reading.with_options(max_retries=0)

    def __repr__(self) -> str:
        return f"BatchClient({self.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._reading.close()

    def upload(self, path: Path, name: str) -> str:
        """Store a file of request lines at the endpoint and return its id.

        Raises:
            TeacherError: the endpoint does not take it.
        """
        with path.open("rb") as lines:
            reply = self._send(
                lambda: self._reading.post(
                    FILES_PATH,
                    cast_to=httpx2.Response,
                    body={"purpose": "batch"},
                    files=[("file", (name, lines, "application/jsonl"))],
                    options={"headers": {"Content-Type": "multipart/form-data"}},
                )
            )
        file_id = reply.get("id")
        if not isinstance(file_id, str):
            msg = f"{self.address} took a file but gave no id for it; is this a batch endpoint?"
            raise TeacherError(msg)
        return file_id

    def create(self, file_id: str, tag: str) -> RemoteBatch:
        """Buy the requests of an uploaded file; `tag` finds the batch again.

        Raises:
            UnsureError: no answer came; look with `find` before anything else.
            TeacherError: the endpoint refuses; nothing was bought.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": self.url,
            "completion_window": WINDOW,
            "metadata": {TAG: tag},
        }
        unsure = f"no answer to the creation of batch {tag}"
        raw = self._send(
            lambda: self._once.post(BATCHES_PATH, cast_to=httpx2.Response, body=body), unsure
        )
        batch = read_batch(raw, TAG)
        if batch is None:
            msg = f"{self.address}: {unsure} (200 without a batch object)"
            raise UnsureError(msg)
        return batch

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """Return a batch as it stands now.

        Raises:
            TeacherError: the endpoint does not know it or does not answer.
        """
        return self._batch(self._get(f"{BATCHES_PATH}/{batch_id}"))

    def find(self, tag: str, file_id: str | None) -> RemoteBatch | None:
        """Return the batch of this input file, null if there is none.

        The tag serves endpoints that do not say which file a batch is of; it is shared by batches
        that sent the same calls after an earlier one was refused.

        Raises:
            TeacherError: the endpoint does not answer, or not with a list.
        """
        for batch in self._listed():
            if batch.input_file_id is None or file_id is None:
                is_it = batch.tag == tag
            else:
                is_it = batch.input_file_id == file_id
            if is_it:
                return batch
        return None

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for the end of a batch; what is answered already stays billed.

        Raises:
            TeacherError: the endpoint does not know it or does not answer.
        """
        path = f"{BATCHES_PATH}/{batch_id}/cancel"
        post = self._reading.post
        return self._batch(self._send(lambda: post(path, cast_to=httpx2.Response)))

    def download(self, file_id: str, path: Path) -> None:
        """Write the content of a file to `path`.

        Raises:
            TeacherError: the endpoint does not give it.
        """
        self._guarded(lambda: self._stream(file_id, path))

    def forget_file(self, file_id: str) -> None:
        """Remove an uploaded file; one that stays costs storage only, so failing is no error."""
        path = f"{FILES_PATH}/{file_id}"
        with suppress(TeacherError):
            self._send(lambda: self._once.delete(path, cast_to=httpx2.Response))

    def _stream(self, file_id: str, path: Path) -> None:
        with self._reading.files.with_streaming_response.content(file_id) as response:
            response.stream_to_file(path)

    def _listed(self) -> Iterator[RemoteBatch]:
        """Yield the endpoint's batches, newest first, page by page."""
        after: str | None = None
        for _ in range(MAX_LISTED // LIST_LIMIT):
            query = {"limit": LIST_LIMIT} | ({"after": after} if after else {})
            page = self._get(BATCHES_PATH, query)
            entries = page.get("data")
            if not isinstance(entries, list):  # silence must not be read as "there is none"
                msg = f"{self.address} does not list its batches; is this a batch endpoint?"
                raise TeacherError(msg)
            batches = [b for entry in entries if (b := read_batch(entry, TAG)) is not None]
            yield from batches
            if not page.get("has_more") or not batches:
                return
            after = batches[-1].id

    def _get(self, path: str, query: Mapping[str, object] | None = None) -> dict[str, Any]:
        return self._send(
            lambda: self._reading.get(
                path, cast_to=httpx2.Response, options={"params": dict(query or {})}
            )
        )

    def _batch(self, raw: Mapping[str, Any]) -> RemoteBatch:
        batch = read_batch(raw, TAG)
        if batch is None:
            msg = f"{self.address} answers without a batch object; is this a batch endpoint?"
            raise TeacherError(msg)
        return batch

    def _send(self, call: Callable[[], httpx2.Response], unsure: str = "") -> dict[str, Any]:
        """Return the JSON object that `call` is answered with."""
        response = self._guarded(call, unsure)
        try:
            value = json.loads(response.text)
        except ValueError:
            value = None
        return value if isinstance(value, dict) else {}

    def _guarded(self, call: Callable[[], T], unsure: str = "") -> T:
        """Return what `call` gives; errors come out without the request that holds the key."""
        try:
            return call()
        except openai.APIStatusError as exc:
            status, problem = exc.status_code, self._printable(exc.response)
        except openai.APIConnectionError as exc:
            status, problem = None, type(exc.__cause__ or exc).__name__
            unsure = "" if isinstance(exc.__cause__, httpx2.ConnectError) else unsure
        except httpx2.HTTPError as exc:  # not wrapped: a download that breaks off
            status, problem = None, type(exc).__name__
        is_passing = status is None or status >= SERVER_ERROR or status in PASSING_STATUS
        if unsure and is_passing and status != THROTTLED:
            msg = f"{self.address}: {unsure} ({problem}); collect again to find out"
            raise UnsureError(msg)
        said = f"answers {status}: {problem}" if status else f"does not answer ({problem})"
        msg = f"{self.address} {said}; expected a batch endpoint and a valid key"
        raise UnreachableError(msg) if is_passing else TeacherError(msg)

    def _printable(self, response: httpx2.Response) -> str:
        try:
            text = error_message(response.text)
        except httpx2.ResponseNotRead:
            text = ""
        return (text.replace(self._secret, "***") if self._secret else text) or "no reason given"
