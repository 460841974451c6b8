"""What every runner is given: a JSON file named on its command line; standard library only.

A runner sends one request per row to the endpoint, with the row's image if it has one, and writes
a line of JSON per row that got a text: `{"id": ..., "text": ...}`.  Each runs in an environment of
its own, so nothing but this file is shared between them.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One question; `image` is a JPEG file or null."""

    id: str
    prompt: str
    image: str | None


@dataclass(frozen=True)
class Job:
    """Where to ask what.

    Attributes:
        base_url: up to and including `/v1`.
        in_flight: most requests at once.
        max_tokens: limit of one reply.
        rows_file: JSON lines of rows.
        out_file: where texts go.
        state: folder for whatever a runner keeps between runs.
    """

    base_url: str
    model: str
    in_flight: int
    max_tokens: int
    rows_file: str
    out_file: str
    state: str

    def rows(self) -> list[Row]:
        """Return the rows to ask about."""
        with Path(self.rows_file).open(encoding="utf-8") as lines:
            return [Row(**json.loads(line)) for line in lines]

    def write(self, texts: Iterable[tuple[str, str]]) -> None:
        """Write (row id, reply text) pairs."""
        with Path(self.out_file).open("w", encoding="utf-8") as out:
            out.writelines(json.dumps({"id": i, "text": text}) + "\n" for i, text in texts)


def read_job() -> Job:
    """Return the job of this process."""
    return Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
