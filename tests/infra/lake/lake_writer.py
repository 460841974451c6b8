"""A process that writes parts to a lake until it is done or killed; see test_lake_races.

    python -m tests.infra.lake.lake_writer LAKE_URI STORAGE_JSON FIRST LAST ROWS

Parts `p<FIRST>` to `p<LAST - 1>` get `ROWS` rows each; a part that is done already is skipped.
"""

import json
import sys

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from sightline.provenance import fingerprint_of
from sightline.schemas import FAILURES
from tests.factories import full_of


def write_part(lake: Lake, name: str, rows: int) -> bool:
    """Commit one part; return whether there was anything to do."""
    fingerprint = fingerprint_of(name)
    if lake.is_done(FAILURES, name, fingerprint):
        return False
    table = full_of(FAILURES, rows, part=name, fingerprint=fingerprint, step=name)
    with lake.stage(FAILURES, name, fingerprint) as writer:
        for start in range(0, rows, 10):
            writer.write(table.slice(start, 10))
        staged = writer.finish()
    (commit,) = lake.publish(FAILURES, [staged])
    return not commit.reused


def main() -> None:
    uri, storage, first, last, rows = sys.argv[1:]
    lake = Lake(uri, StorageOptions(**json.loads(storage)))
    print("ready", flush=True)  # noqa: T201 - tells the test when to aim
    written = sum(write_part(lake, f"p{n}", int(rows)) for n in range(int(first), int(last)))
    print(f"written {written}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
