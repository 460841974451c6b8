"""What a batch is and where it is kept: one JSON file each, replaced as a whole at each change.

Results are appended to two files beside it while the batch runs and become files of the API when
it ends, so a server that was killed goes on where it was and answers no request a second time.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

WINDOW_S: Final = 24 * 3600
_ID: Final = re.compile(r"batch_[0-9a-f]{24}")


class Status(StrEnum):
    """Where a batch stands; the last four are final."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN: Final = frozenset(
    {Status.VALIDATING, Status.IN_PROGRESS, Status.FINALIZING, Status.CANCELLING}
)


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch; names and units are the API's.

    Attributes:
        reached: when it came to a status, seconds since 1970.
        errors: why its input was refused.
        total: requests in it.
        completed: requests answered with 200.
        failed: requests answered with another status, or never executed.
    """

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: Status
    created_at: int
    metadata: dict[str, str] | None = None
    reached: dict[str, int] | None = None
    errors: list[dict[str, Any]] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.status in OPEN

    def at(self, status: Status, now_s: float, **changes: Any) -> "Batch":
        """Return the batch come to another status."""
        reached = (self.reached or {}) | {f"{status}_at": int(now_s)}
        return replace(self, status=status, reached=reached, **changes)

    def to_wire(self) -> dict[str, Any]:
        """Return the batch object of the API."""
        times = {f"{s}_at": None for s in Status if s is not Status.VALIDATING}
        counts = {"total": self.total, "completed": self.completed, "failed": self.failed}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.created_at,
            "expires_at": self.created_at + WINDOW_S,
            **times,
            **(self.reached or {}),
            "request_counts": counts,
            "metadata": self.metadata,
        }


class BatchStore:
    """Batches in a folder, ids in the order of their making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new_id(self) -> str:
        """Return the id of the next batch."""
        return f"batch_{len(list(self._folder.glob('*.json'))) + 1:024x}"

    def put(self, batch: Batch) -> Batch:
        """Keep a batch as it stands now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        waiting = self._folder / f"{batch.id}.next"
        waiting.write_text(json.dumps(asdict(batch)), encoding="utf-8")
        waiting.replace(self._folder / f"{batch.id}.json")
        return batch

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch, null if there is none of this id."""
        path = self._folder / f"{batch_id}.json"
        return _read(path) if _ID.fullmatch(batch_id) and path.exists() else None

    def newest_first(self) -> Iterator[Batch]:
        """Yield every batch."""
        for path in sorted(self._folder.glob("*.json"), reverse=True):
            yield _read(path)

    def results(self, batch_id: str) -> tuple[Path, Path]:
        """Return where a running batch's answers and errors are appended."""
        return self._folder / f"{batch_id}.output.jsonl", self._folder / f"{batch_id}.errors.jsonl"


def _read(path: Path) -> Batch:
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Batch(**fields | {"status": Status(fields["status"])})
