"""Asks a teacher for rows and notes each answer it got: the process that the kill test kills.

Usage: teacher_driver.py BASE_URL FOLDER MAX_IN_FLIGHT ROWS
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from infra.teacher.client import Teacher
from tests.infra.teachers import ask_for, teacher_at


async def ask_rows(teacher: Teacher, rows: int, notes: int) -> None:
    async def one(number: int) -> None:
        response = await teacher.ask(ask_for(number))
        call = f"{response.request_key}/{response.draw}"
        os.write(notes, json.dumps({"call": call, "reused": response.reused}).encode() + b"\n")

    await asyncio.gather(*(one(number) for number in range(rows)))


def main() -> None:
    base_url, folder, max_in_flight, rows = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    notes = os.open(Path(folder) / "returned", flags, 0o644)
    changes = {"max_in_flight": int(max_in_flight)}
    with teacher_at(base_url, Path(folder), **changes) as (teacher, ledger):
        asyncio.run(ask_rows(teacher, int(rows) // 2, notes))
        ledger.flush()
        asyncio.run(ask_rows(teacher, int(rows), notes))
        ledger.flush()


if __name__ == "__main__":
    main()
