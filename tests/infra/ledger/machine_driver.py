"""One machine that asks a teacher through a ledger that it shares by nothing but a bucket.

Usage: machine_driver.py JSON, an object with base_url, lake, storage, spool, spool_in_lake, rows,
expiry_s.  Prints `started` before it asks and ends with 0 when every row is answered.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from infra.ledger.ledger import Ledger, Sharing
from infra.teacher.client import Teacher, TeacherConfig, open_teacher
from infra.teacher.endpoints import Endpoint
from sightline.outcomes import Outcome
from tests.infra.teachers import MODEL, QUICK, ask_for

IN_FLIGHT = 8


async def ask_rows(teacher: Teacher, rows: int) -> None:
    answers = await asyncio.gather(*(teacher.ask(ask_for(number)) for number in range(rows)))
    assert all(answer.outcome is Outcome.SUCCESS for answer in answers)


def main(job: dict[str, Any]) -> None:
    lake = Lake(job["lake"], StorageOptions(**job["storage"]))
    sharing = Sharing(
        claims_in_lake=True, spool_in_lake=job["spool_in_lake"], expiry_s=job["expiry_s"]
    )
    endpoint = Endpoint("default", job["base_url"], timeout_s=20.0, max_in_flight=IN_FLIGHT)
    config = TeacherConfig((endpoint,), recipe="test", retry=QUICK, models=(MODEL,))
    with Ledger(lake, Path(job["spool"]), sharing) as ledger:
        with open_teacher(config, ledger) as teacher:
            sys.stdout.write("started\n")
            sys.stdout.flush()
            asyncio.run(ask_rows(teacher, job["rows"]))
        ledger.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
