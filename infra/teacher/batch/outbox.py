"""Wanted calls as files of request lines, each within what an endpoint takes in one batch.

A line holds its images as base64, so a wave of a million calls is hundreds of gigabytes: lines go
to disk as they come, and a full file is handed on, and deleted, before the next one grows.  One
file holds one model, as the protocol demands, and one step, which pays for it.  A call that does
not fit under the caps is left out; a later wave finds it again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.ledger.index import slot_of
from infra.teacher.batch.allowance import Exposure, fits
from infra.teacher.batch.protocol import request_line
from infra.teacher.batch.record import BatchRequest, batch_request, custom_id_of
from infra.teacher.budget import Caps
from infra.teacher.types import Request

MAX_REQUESTS: Final = 50_000
MAX_BYTES: Final = 200_000_000
"""OpenAI's limits of one input file, read as decimal megabytes to be on the safe side."""


_Kind = tuple[str, str | None]
"""(model, step): what one file is of."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may hold."""

    requests: int = MAX_REQUESTS
    bytes: int = MAX_BYTES


@dataclass(slots=True)
class RequestFile:
    """Requests of one step to one model, their lines on disk; a null step is the payer's."""

    teacher: str
    step: str | None
    path: Path
    n_bytes: int = 0
    worst_case_usd: float = 0.0
    requests: list[BatchRequest] = field(default_factory=list)


class Outbox:
    """Takes calls from any thread; `close` hands on the files that are not full."""

    def __init__(
        self,
        folder: Path,
        url_of: Callable[[str], str],
        limits: FileLimits,
        price: Callable[[Request], float],
        send: Callable[[RequestFile], None],
    ) -> None:
        """Write files in `folder`.

        Args:
            folder: of a disk with room for one file per model and step.
            url_of: gives what lines of a model name as their address.
            limits: of one file.
            price: the most a call can cost, USD.
            send: takes a full file, which is deleted afterwards.
        """
        self._folder, self._url_of, self._limits = folder, url_of, limits
        self._price, self._send = price, send
        self._files: dict[_Kind, RequestFile] = {}
        self._seen: set[int] = set()
        self._lock = threading.Lock()
        self._caps, self._held = Caps(), Exposure()
        self.postponed: Exposure | None = None
        """The first call that did not fit under the caps."""

    def limit(self, caps: Caps, held: Exposure) -> None:
        """Leave out calls that would cross `caps` beside what is spent and `held` already."""
        self._caps, self._held = caps, held

    def add(self, request: Request) -> None:
        """Take a call, unless it is here already or does not fit under the caps.

        Raises:
            TeacherError: a full file could not be sent.
        """
        worst_case_usd = self._price(request)
        url = self._url_of(request.model)
        line = request_line(custom_id_of(request.call_key), url, request.wire_body())
        with self._lock:
            slot = slot_of(request.call_key)
            if slot in self._seen:
                return
            more = Exposure(worst_case_usd, 1)
            if not fits(self._caps, self._held, more):
                self.postponed = self.postponed or more
                return
            file = self._room_for((request.model, request.step), len(line))
            self._append(file, request, line, worst_case_usd)
            self._seen.add(slot)
            self._held += more

    def close(self) -> None:
        """Send what is left.

        Raises:
            TeacherError: a file could not be sent.
        """
        with self._lock:
            for kind in list(self._files):
                self._hand_on(kind)

    def _room_for(self, kind: _Kind, n_bytes: int) -> RequestFile:
        file = self._files.get(kind)
        if file is not None and (
            len(file.requests) >= self._limits.requests
            or file.n_bytes + n_bytes > self._limits.bytes
        ):
            self._hand_on(kind)
            file = None
        if file is None:
            path = self._folder / f"{len(self._seen)}.jsonl"
            file = self._files[kind] = RequestFile(*kind, path)
        return file

    def _append(
        self, file: RequestFile, request: Request, line: bytes, worst_case_usd: float
    ) -> None:
        with file.path.open("ab") as lines:
            lines.write(line)
        file.requests.append(batch_request(request, len(file.requests)))
        file.n_bytes += len(line)
        file.worst_case_usd += worst_case_usd

    def _hand_on(self, kind: _Kind) -> None:
        file = self._files.pop(kind)
        try:
            self._send(file)
        finally:
            file.path.unlink()
